export default async function teardown() {
  const running = globalThis.testPostgres;
  globalThis.testPostgres = undefined;
  await running?.stop();
}
