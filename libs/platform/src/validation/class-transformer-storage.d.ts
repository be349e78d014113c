// class-transformer keeps its metadata in a module that it ships without types.
declare module 'class-transformer/cjs/storage.js' {
  export const defaultMetadataStorage: NonNullable<import('class-validator-jsonschema/build/options.js').IOptions['classTransformerMetadataStorage']>;
}
