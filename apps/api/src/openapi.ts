import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { namedSchemas, productVersion, type Settings } from '#libs/platform';

/** Paths come from the controllers, schemas from the DTOs' validation rules, so that neither is written twice. */
export function openApiDocument(app: NestExpressApplication, publicUrl: string): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('OpenFactory')
    .setDescription('A factory for operating-system images. Errors are problem details (RFC 9457) with a stable `reason` and a `hint`.')
    .setVersion(productVersion)
    .addServer(publicUrl)
    .build();
  const document = SwaggerModule.createDocument(app, config);
  return { ...document, components: { ...document.components, schemas: { ...document.components?.schemas, ...namedSchemas() } } };
}

/** The document is made when it is first asked for: the port is known only once it is bound. */
export function serveApiDocs(app: NestExpressApplication, settings: Settings): void {
  SwaggerModule.setup('api/docs', app, () => openApiDocument(app, settings.publicUrl), { jsonDocumentUrl: 'api/docs.json', yamlDocumentUrl: 'api/docs.yaml', customSiteTitle: 'OpenFactory API' });
}
