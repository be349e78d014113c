import { Module, type DynamicModule } from '@nestjs/common';
import { LoggerModule } from 'nestjs-pino';
import type { Settings } from '../config/settings.js';
import { requestIdOf } from '../http/request-id.js';

/** Somebody who pastes a key into an address may do so before the question mark, too. */
const withoutKeys = (path: string | undefined) => path?.replace(/of_mcp_\w*/g, '[secret]');

/** Headers and fields whose values never reach a log. URLs are logged without their query, which may hold tokens and session ids. */
const secretPaths = [
  'req.headers.authorization',
  'req.headers.cookie',
  'req.headers["mcp-session-id"]',
  'res.headers["set-cookie"]',
  'res.headers["mcp-session-id"]',
  '*.password',
  '*.password_hash',
  '*.secret',
  '*.token',
  '*.key',
];

@Module({})
export class LoggingModule {
  static forRoot(settings: Settings): DynamicModule {
    return {
      module: LoggingModule,
      imports: [
        LoggerModule.forRoot({
          pinoHttp: {
            level: settings.logLevel,
            genReqId: requestIdOf,
            redact: { paths: secretPaths, censor: '[secret]' },
            serializers: {
              req: (request: { id: string; method: string; url: string; remoteAddress: string }) => ({
                id: request.id,
                method: request.method,
                path: withoutKeys(request.url.split('?', 1)[0]),
                remote_address: request.remoteAddress,
              }),
              res: (response: { statusCode: number }) => ({ status: response.statusCode }),
            },
            // A served request is news at debug; a refused one is the client's; only ours is a warning.
            customLogLevel: (_request, response, error) => (error || response.statusCode >= 500 ? 'warn' : 'debug'),
          },
        }),
      ],
    };
  }
}
