import { Injectable } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import type { Caller } from '../caller/caller.js';
import { Revocations } from '../caller/revocations.js';

/** The most that setTimeout takes: 24.8 days. No response flows for so long. */
const longestTimerMs = 2 ** 31 - 1;

/** Answers of REST that are still to come, or that flow (event streams): cut off when what their caller stands on is revoked, or is over by time. */
@Injectable()
export class OpenResponses {
  readonly #open = new Map<ServerResponse, readonly string[]>();

  constructor(private readonly revocations: Revocations) {
    revocations.onRevoked((subject) => {
      for (const [response, revocationSubjects] of this.#open)
        if (revocationSubjects.includes(subject)) response.destroy();
    });
  }

  watch(caller: Pick<Caller, 'revocationSubjects' | 'expiresAt' | 'checkedAt'>, response: ServerResponse): void {
    const { revocationSubjects, expiresAt = Infinity } = caller;
    if (!revocationSubjects.length) return;
    const leftMs = expiresAt - Date.now();
    const timer = leftMs <= longestTimerMs ? setTimeout(() => response.destroy(), leftMs).unref() : undefined;
    this.#open.set(response, revocationSubjects);
    response.once('close', () => {
      clearTimeout(timer);
      this.#open.delete(response);
    });
    if (this.revocations.wasRevokedSince(caller)) response.destroy();
  }

  /** The one who revokes their own session still gets to know that it worked. */
  spare(response: ServerResponse): void {
    this.#open.delete(response);
  }
}
