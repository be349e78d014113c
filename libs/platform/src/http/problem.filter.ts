import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { errorMessage } from '../errors/app-error.js';
import { requestIdOf } from './request-id.js';
import { fromFramework } from './framework-error.js';
import { sendProblem, toAppError } from './problem.js';

/** The HTTP mapper of errors: everything a controller throws becomes problem+json. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly log = new Logger('Http');

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<Request>();
    const error = fromFramework(thrown) ?? toAppError(thrown);
    const requestId = requestIdOf(request);
    if (error.kind === 'internal')
      this.log.error(
        { err: error.cause ?? error, request_id: requestId },
        `${request.method} ${request.path} broke: ${errorMessage(error.cause)}`,
      );
    sendProblem(request, http.getResponse<Response>(), error, requestId);
  }
}
