import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { OpenAPIObject } from '@nestjs/swagger';
import { loadSettings } from '#libs/platform';
import { AppModule } from './app.module.js';
import { openApiDocument } from './openapi.js';

/** The document of the product as it stands in the code: the application is looked at and nothing of it is made, so that it needs neither a database nor a host. */
export async function productOpenApi(): Promise<OpenAPIObject> {
  const { settings } = loadSettings({});
  const app = await NestFactory.create<NestExpressApplication>(
    AppModule.forRoot({ settings, databaseUrl: '', secret: '' }),
    { preview: true, logger: ['error'], bodyParser: false, abortOnError: false },
  );
  return openApiDocument(app, '/');
}
