import { fromRoot } from './from-root';
import type { components, paths } from '../../../dist/openapi';

/** The types are generated from the OpenAPI document of the api that is built with this page: what is not as the factory has it does not compile. */
export type Schema<Name extends keyof components['schemas']> = components['schemas'][Name];

type PostPath = {
  [Path in keyof paths]: paths[Path] extends { post: { requestBody: object } } ? Path : never;
}[keyof paths];
type Input<Path extends PostPath> = paths[Path] extends {
  post: { requestBody: { content: { 'application/json': infer Body } } };
}
  ? Body
  : never;
type Json<Answer> = Answer extends { content: { 'application/json': infer Body } } ? Body : undefined;
type Output<Path extends PostPath> = paths[Path] extends { post: { responses: infer Answers } }
  ? Json<Answers[keyof Answers & (200 | 201 | 202 | 204)]>
  : never;

/** Of problem details (RFC 9457), what a person reads. */
export type Refusal = Pick<Schema<'Problem'>, 'detail' | 'hint'>;
export type Answer<Body> = { isOk: true; body: Body } | { isOk: false; refusal: Refusal };

export async function post<Path extends PostPath>(path: Path, input: Input<Path>): Promise<Answer<Output<Path>>> {
  let response: Response;
  try {
    response = await fetch(fromRoot(path), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(input),
    });
  } catch {
    return { isOk: false, refusal: { detail: 'The factory cannot be reached.', hint: 'Try again in a moment.' } };
  }
  const body: unknown = response.status === 204 ? undefined : await response.json().catch(() => undefined);
  if (response.ok) return { isOk: true, body: body as Output<Path> };
  return {
    isOk: false,
    refusal: { detail: 'The factory did not answer as expected.', ...(body as Partial<Refusal> | undefined) },
  };
}
