import { rm } from 'node:fs/promises';

export default async function teardown() {
  if (process.env.TEST_RUN_DIR) await rm(process.env.TEST_RUN_DIR, { recursive: true, force: true });
}
