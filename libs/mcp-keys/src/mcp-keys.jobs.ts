import { Injectable, Logger } from '@nestjs/common';
import { Job } from '#libs/platform';
import { McpKeyRepository } from './mcp-key.repository.js';

const keptForDays = 90;

@Injectable()
export class McpKeysJobs {
  readonly #logger = new Logger(McpKeysJobs.name);

  constructor(private readonly keys: McpKeyRepository) {}

  /** Not at once: who finds a refused client months later still learns which key it had. */
  @Job({ queue: 'mcp-keys.forget-ended', schedule: '27 3 * * *', single: true })
  async forgetEnded(): Promise<void> {
    const forgotten = await this.keys.deleteEnded(keptForDays);
    if (forgotten)
      this.#logger.log(`Forgot ${forgotten} API keys that were revoked or expired ${keptForDays} days ago`);
  }
}
