import type { INestApplicationContext } from '@nestjs/common';
import { QueueService } from '#libs/platform';

/** Gives a process the worker role: it takes jobs from the queue until the application closes. */
export async function startWorker(app: INestApplicationContext): Promise<void> {
  await app.get(QueueService).work();
}
