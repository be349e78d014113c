import type { IncomingMessage } from 'node:http';

const reading = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Whether a request changes nothing, by its method (RFC 9110, 9.2.1). */
export const isReading = ({ method = '' }: IncomingMessage): boolean => reading.has(method);
