import passport, { type Strategy } from 'passport';

type Authenticate = (request: object, response: object, next: (error: unknown) => void) => void;

/** Runs one passport strategy by itself, without an express response: it only says who it is. */
export class StrategyRunner<Found extends object> {
  readonly #passport = new passport.Passport();

  constructor(strategy: Strategy) {
    // By name: passport then makes an instance per request. One that is handed over as such is shared, and would mix up people who come at once.
    this.#passport.use('only', strategy);
  }

  /** @param request what the strategy looks at: `headers`, or `body`. @returns undefined where it refuses */
  run(request: object): Promise<Found | undefined> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown) =>
        reject(error instanceof Error ? error : new Error('The strategy failed.', { cause: error }));
      const answer = (error: unknown, found?: Found | false | null) =>
        error ? fail(error) : resolve(found || undefined);
      (this.#passport.authenticate('only', { session: false }, answer) as Authenticate)(request, {}, fail);
    });
  }
}
