import { AppError } from '../errors/app-error.js';
import { hostLoad } from './host-load.js';

const stepMs = 500;

/** What host time is told by; tests have one of their own. */
export interface HostLoad {
  slowness(): number;
}

/**
 * Calls when so much host time has passed: milliseconds of a host at rest, of which a busy one has fewer in a second. While it stands still (this
 * process stopped, the host suspended) none pass.
 * @returns ends it
 */
export function afterHostTime(ms: number, onPassed: () => void, host: HostLoad = hostLoad): () => void {
  let leftMs = ms;
  let timer: NodeJS.Timeout;
  const step = () => {
    const nextMs = Math.max(0, Math.min(leftMs, stepMs));
    timer = setTimeout(() => {
      leftMs -= nextMs / host.slowness();
      // What is left after a step at a busy host is less and less: the last bit is not worth a timer.
      if (leftMs > 1) step();
      else onPassed();
    }, nextMs);
  };
  step();
  return () => clearTimeout(timer);
}

/** Aborts after so much host time, with `host_too_slow` unless another reason is given. `stop` is for who needs it no more. */
export function hostTimeout(
  ms: number,
  {
    reason = () => hostTooSlow(`It did not come to an end within ${Math.round(ms / 1000)} s.`),
    host = hostLoad,
  }: { reason?: () => Error; host?: HostLoad } = {},
): { signal: AbortSignal; stop: () => void } {
  const abort = new AbortController();
  return { signal: abort.signal, stop: afterHostTime(ms, () => abort.abort(reason()), host) };
}

/** Something did not come to its end in time. That says nothing about what was asked for: it is the host's, and may do better the next time. */
export function hostTooSlow(message: string, cause?: unknown): AppError {
  return new AppError({
    kind: 'unavailable',
    reason: 'host_too_slow',
    message,
    hint: 'The host has too much to do; try again when it has less.',
    retryable: true,
    cause,
  });
}
