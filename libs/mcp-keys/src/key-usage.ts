import { Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { errorMessage } from '#libs/platform';
import { McpKeyRepository, type KeyUse } from './mcp-key.repository.js';

const writeEveryMs = 5_000;

/** When and from where keys were last used: collected here, and written now and then, so that no call waits for it. */
@Injectable()
export class KeyUsage implements BeforeApplicationShutdown {
  readonly #logger = new Logger(KeyUsage.name);
  #uses = new Map<string, KeyUse>();
  #writing: Promise<void> | undefined;
  readonly #timer = setInterval(() => void this.write(), writeEveryMs).unref();

  constructor(private readonly keys: McpKeyRepository) {}

  note(id: string, from: string): void {
    this.#uses.set(id, { id, at: Date.now(), from });
  }

  /** While the connection pool is still there. */
  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.#timer);
    await this.#writing;
    await this.write();
  }

  /** One at a time: a database that hangs must not take up the whole pool. */
  async write(): Promise<void> {
    if (this.#writing || !this.#uses.size) return;
    const uses = this.#uses;
    this.#uses = new Map();
    this.#writing = this.#store(uses);
    await this.#writing;
  }

  async #store(uses: Map<string, KeyUse>): Promise<void> {
    try {
      await this.keys.noteUses([...uses.values()]);
    } catch (error) {
      // What was noted meanwhile is newer.
      this.#uses = new Map([...uses, ...this.#uses]);
      this.#logger.warn(`The last use of keys could not be written and is tried again: ${errorMessage(error)}`);
    } finally {
      this.#writing = undefined;
    }
  }
}
