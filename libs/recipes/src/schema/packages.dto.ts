import { OneOf, Text, Texts } from './field.decorators.js';
import { anyText, componentName, gitRef, httpsUrl, packageName, suiteName } from './text-rules.js';
import { repositoryUri } from './repository-uri.js';

export const packageActions = ['add', 'remove', 'replace'] as const;

export class RecipePackageOverride {
  @Text(packageName, 'The package acted on.', { required: true }) name: string;
  @OneOf(packageActions, 'add installs it, remove keeps it out, replace installs `replacement` instead.', {
    required: true,
  })
  action: (typeof packageActions)[number];
  @Text(packageName, 'The package installed instead; needed by replace.') replacement?: string;
}

export class RecipeExtraRepo {
  @Text(repositoryUri, 'http or https address of the repository; no private, loopback or link-local host.', {
    required: true,
  })
  uri: string;
  @Text(suiteName, 'Suite, such as "stable".', { required: true }) suite: string;
  @Texts(componentName, 'Components, such as ["main"].', { maxItems: 20, default: [] }) components: string[] = [];
  @Text(
    anyText,
    'The ASCII-armoured public key that signs the repository, or the absolute path of a key that `files` puts into the image.',
    { required: true, maxLength: 65_536 },
  )
  signed_by: string;
}

export class RecipeCustomPackage {
  @Text(packageName, 'Name of the package that results.', { required: true }) name: string;
  @Text(httpsUrl, 'https address of the git repository.', { required: true }) git_url: string;
  @Text(gitRef, 'Branch or tag; the default branch without one.') branch?: string;
}
