import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { namedSchemas, productVersion, type Settings } from '#libs/platform';
import { describeRefusals } from './openapi-refusals.js';

/** Paths come from the controllers, schemas from the DTOs' validation rules, refusals from what the guards go by, so that nothing is written twice. */
export function openApiDocument(app: NestExpressApplication, publicUrl: string): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('OpenFactory')
    .setDescription(
      'A factory for operating-system images. Errors are problem details (RFC 9457) with a stable `reason` and a `hint`.',
    )
    .setVersion(productVersion)
    .addServer(publicUrl)
    .addBearerAuth({
      type: 'http',
      scheme: 'bearer',
      description: 'An API key (of_mcp_…), or the access token of POST /api/auth/token.',
    })
    .build();
  const document = SwaggerModule.createDocument(app, config);
  describeRefusals(app, document);
  return {
    ...document,
    components: { ...document.components, schemas: { ...document.components?.schemas, ...namedSchemas() } },
  };
}

/** The document is made when it is first asked for: the port is known only once it is bound. */
export function serveApiDocs(app: NestExpressApplication, settings: Settings): void {
  SwaggerModule.setup('api/docs', app, () => openApiDocument(app, settings.publicUrl), {
    jsonDocumentUrl: 'api/docs.json',
    yamlDocumentUrl: 'api/docs.yaml',
    customSiteTitle: 'OpenFactory API',
  });
}
