import type { Type } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, ModulesContainer, Reflector } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { OpenAPIObject } from '@nestjs/swagger';
import { Problem, PUBLIC_ROUTE, refusalsOf, ROUTE_PEOPLE, schemaRef } from '#libs/platform';

type Handler = (...args: never[]) => unknown;
type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;
type Answer = Operation['responses'][string];

/** Where @ApiOperation keeps what it was given (@nestjs/swagger, DECORATORS.API_OPERATION). */
const API_OPERATION = 'swagger/apiOperation';
const text = { type: 'string' } as const;
/** As errorHeaders sends them. */
const headersOf: Partial<Record<number, object>> = {
  401: { 'WWW-Authenticate': { required: true, description: 'RFC 6750, section 3.', schema: text } },
  429: { 'Retry-After': { description: 'Seconds, where they are known.', schema: text } },
  503: { 'Retry-After': { required: true, description: 'Seconds.', schema: text } },
};

/** Adds to every operation why it refuses, and whose credentials it takes. */
export function describeRefusals(app: NestExpressApplication, document: OpenAPIObject): void {
  const reflector = new Reflector();
  const operations = new Map(
    Object.values(document.paths).flatMap((methods) =>
      Object.values(methods as Record<string, Operation>).map((operation) => [operation.operationId, operation]),
    ),
  );
  for (const { controller, handler, operationId } of routesOf(app, reflector)) {
    const operation = operations.get(operationId);
    if (!operation) continue;
    for (const [status, reasons] of refusalsOf(reflector, controller, handler))
      operation.responses[String(status)] = refusal(status, reasons);
    if (reflector.getAllAndOverride(PUBLIC_ROUTE, [handler, controller])) continue;
    operation.security = reflector.getAllAndOverride(ROUTE_PEOPLE, [handler, controller])
      ? [{ bearer: [] }]
      : [{ bearer: [] }, {}];
  }
}

function refusal(status: number, reasons: string[]): Answer {
  const schema = {
    allOf: [
      schemaRef(Problem.name),
      {
        type: 'object',
        properties: { status: { type: 'integer', enum: [status] }, reason: { type: 'string', enum: reasons } },
        required: ['status', 'reason'],
      },
    ],
  };
  return {
    description: `Refused: ${reasons.join(', ')}.`,
    ...(headersOf[status] && { headers: headersOf[status] }),
    content: { 'application/problem+json': { schema } },
  } as Answer;
}

function routesOf(
  app: NestExpressApplication,
  reflector: Reflector,
): { controller: Type; handler: Handler; operationId: string }[] {
  const scanner = new MetadataScanner();
  return new DiscoveryService(app.get(ModulesContainer)).getControllers().flatMap(({ metatype }) => {
    const prototype = (metatype as Type).prototype as Record<string, Handler>;
    return scanner.getAllMethodNames(prototype).flatMap((name) => {
      const handler = prototype[name]!;
      const operationId = reflector.get<{ operationId?: string } | undefined>(API_OPERATION, handler)?.operationId;
      return operationId === undefined ? [] : [{ controller: metatype as Type, handler, operationId }];
    });
  });
}
