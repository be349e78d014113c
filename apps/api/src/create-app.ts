import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Logger } from 'nestjs-pino';
import { setUpHttp, setUpServer } from '#libs/platform';
import { McpHttpEdge } from '#libs/mcp';
import { AppModule, type AppOptions } from './app.module.js';
import { serveApiDocs } from './openapi.js';
import { startLogger } from './start-logger.js';

/** The application with its edges, initialised but not listening. */
export async function createApp(options: AppOptions): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.forRoot(options), {
    bodyParser: false,
    logger: ['fatal', 'error', 'warn'],
    forceCloseConnections: true,
    abortOnError: false,
  });
  const gateway = app.get(McpHttpEdge);
  setUpHttp(app, options.settings, [(request, response) => gateway.handle(request, response)]);
  setUpServer(app);
  serveApiDocs(app, options.settings);
  const logger = app.get(Logger);
  app.useLogger(startLogger(logger));
  await app.init();
  app.useLogger(logger);
  return app;
}
