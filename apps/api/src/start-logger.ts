import type { LoggerService } from '@nestjs/common';

/** While modules start: Nest's own chatter is of no use to an operator, what went wrong is, in the form of every other line of the log. */
export function startLogger(logger: Required<Pick<LoggerService, 'warn' | 'error' | 'fatal'>>): LoggerService {
  return {
    log: () => undefined,
    warn: (message: unknown, ...more: unknown[]) => void logger.warn(message, ...more),
    error: (message: unknown, ...more: unknown[]) => void logger.error(message, ...more),
    fatal: (message: unknown, ...more: unknown[]) => void logger.fatal(message, ...more),
  };
}
