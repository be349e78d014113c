import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, Server, ServerResponse } from 'node:http';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

interface DocumentedAnswer {
  headers?: Record<string, { required?: boolean }>;
  content?: Record<string, unknown>;
}
interface Operation {
  method: string;
  path: string;
  pattern: RegExp;
  answers: Record<string, DocumentedAnswer>;
}
export interface OpenApi {
  paths: Record<string, Record<string, { responses: Record<string, DocumentedAnswer> }>>;
}
export interface RealAnswer {
  method: string;
  url: string;
  status: number;
  headers: IncomingHttpHeaders | OutgoingHttpHeaders;
  body: string;
}

const mostBytes = 8 << 20;
const escape = (part: string) => part.replaceAll('~', '~0').replaceAll('/', '~1');

/** Holds real answers against the OpenAPI document: status, required headers, media type, and the body of JSON. What no operation stands for is none of its business. */
export class DocumentedAnswers {
  readonly #ajv = addFormats.default(new Ajv2020({ strict: false, validateSchema: false, allErrors: true }));
  readonly #operations: Operation[];
  readonly #faults = new Set<string>();

  constructor(document: OpenApi) {
    this.#ajv.addSchema(document, 'openapi', false, false);
    const all = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { responses }]) => ({
        method: method.toUpperCase(),
        path,
        pattern: new RegExp(`^${path.replace(/[.]/g, '\\$&').replace(/\{\w+\}/g, '[^/]+')}/?$`, 'i'),
        answers: responses,
      })),
    );
    // As the router has it: what is written out comes before what is filled in.
    this.#operations = all.sort((a, b) => a.path.split('{').length - b.path.split('{').length);
  }

  get faults(): string[] {
    return [...this.#faults];
  }

  /** @returns what is not as documented; undefined where all is, or nothing is documented */
  check({ method, url, status, headers, body }: RealAnswer): string | undefined {
    const pathname = (url.split(/[?#]/, 1)[0] ?? '').replace(/^https?:\/\/[^/]+/, '');
    const operation = this.#operations.find(
      (candidate) => candidate.method === (method === 'HEAD' ? 'GET' : method) && candidate.pattern.test(pathname),
    );
    if (!operation) return undefined;
    const told = (what: string) => `${method} ${operation.path} ${status}: ${what}`;
    const answer = operation.answers[String(status)];
    if (!answer) return told(`is not documented: ${body.slice(0, 300)}`);
    const missing = Object.entries(answer.headers ?? {}).find(
      ([name, { required }]) => required && headers[name.toLowerCase()] === undefined,
    );
    if (missing) return told(`has no ${missing[0]}`);
    if (method === 'HEAD') return undefined;
    const wrong = this.#wrongContent(operation, status, {
      type: String(headers['content-type'] ?? '')
        .split(';', 1)[0]!
        .trim(),
      body,
    });
    return wrong === undefined ? undefined : told(wrong);
  }

  /** Every answer of a server from now on; what is found is in `faults`. */
  watch(server: Server): void {
    server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
      const chunks = collect(response);
      response.once('finish', () => {
        const fault = this.check({
          method: request.method ?? '',
          url: request.url ?? '',
          status: response.statusCode,
          headers: headersOf(response),
          body: Buffer.concat(chunks).toString('utf8'),
        });
        if (fault !== undefined) this.#faults.add(fault);
      });
    });
  }

  #wrongContent(
    { path, method, answers }: Operation,
    status: number,
    { type, body }: { type: string; body: string },
  ): string | undefined {
    const content = answers[String(status)]?.content;
    if (!content) return body === '' ? undefined : `has a body (${type}), and none is documented`;
    const documented = [type, '*/*'].find((candidate) => candidate in content);
    if (documented === undefined) return `is ${type}, and ${Object.keys(content).join(', ')} is documented`;
    if (!/\bjson$/.test(documented)) return undefined;
    const validate = this.#validatorOf([
      'paths',
      path,
      method.toLowerCase(),
      'responses',
      String(status),
      'content',
      documented,
      'schema',
    ]);
    if (validate(JSON.parse(body))) return undefined;
    return `${(validate.errors ?? [])
      .map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`)
      .slice(0, 5)
      .join('; ')} in ${body.slice(0, 300)}`;
  }

  #validatorOf(place: string[]): ValidateFunction {
    const ref = `openapi#/${place.map((part) => encodeURIComponent(escape(part))).join('/')}`;
    const validate = this.#ajv.getSchema(ref);
    if (!validate) throw new Error(`There is no schema at ${ref}.`);
    return validate;
  }
}

/** writeHead with headers of its own leaves none behind for getHeaders: they are read off what was sent. */
function headersOf(response: ServerResponse): OutgoingHttpHeaders {
  const sent = (response as unknown as { _header?: string })._header ?? '';
  const lines = sent
    .split('\r\n')
    .slice(1)
    .map((line) => line.split(/:\s*(.*)/s, 2) as [string, string?]);
  return Object.fromEntries(lines.filter(([name]) => name).map(([name, value = '']) => [name.toLowerCase(), value]));
}

/** What is written, as it is written; no more of it than is looked at. */
function collect(response: ServerResponse): Buffer[] {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const keep = (chunk: unknown) => {
    if ((typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) || bytes > mostBytes) return;
    const buffer = Buffer.from(chunk as string);
    bytes += buffer.length;
    chunks.push(buffer);
  };
  const write = response.write.bind(response) as (...args: unknown[]) => boolean;
  const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse;
  response.write = (...args: unknown[]) => {
    keep(args[0]);
    return write(...args);
  };
  response.end = (...args: unknown[]) => {
    keep(args[0]);
    return end(...args);
  };
  return chunks;
}
