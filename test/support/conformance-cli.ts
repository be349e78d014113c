import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const root = path.resolve(import.meta.dirname, '../..');
const cli = path.join(root, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');
const run = promisify(execFile);

export interface ScenarioOutcome {
  /** As the SUMMARY counts them. */
  passed: number;
  failed: number;
  /** What the SUMMARY does not show: a scenario of warnings alone counts as passed there. */
  complaints: string[];
}

interface Check {
  id: string;
  status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'INFO';
  errorMessage?: string;
  details?: { result?: { isError?: boolean } };
}

/** Every server scenario that the installed CLI knows. */
export async function listScenarios(): Promise<string[]> {
  const { stdout } = await run(process.execPath, [cli, 'list', '--server']);
  return [...stdout.matchAll(/^\s+- (\S+)/gm)].map(([, name]) => name!).sort();
}

/** Runs every scenario, pending ones too, against a Streamable HTTP endpoint. */
export async function runConformance(url: string): Promise<Map<string, ScenarioOutcome>> {
  const out = await mkdtemp(path.join(tmpdir(), 'openfactory-conformance-'));
  try {
    // Its exit code is 1 if any scenario failed; which ones is in what it prints.
    const { stdout } = await run(process.execPath, [cli, 'server', '--url', url, '--suite', 'all', '-o', out], {
      timeout: 100_000,
      maxBuffer: 2 ** 26,
    }).catch((error: unknown) => error as { stdout?: string });
    const summary = [
      ...((stdout ?? '').split('=== SUMMARY ===')[1]?.matchAll(/^[✓✗] (\S+): (\d+) passed, (\d+) failed$/gm) ?? []),
    ];
    if (!summary.length) throw new Error(`The conformance CLI printed no summary: ${stdout?.slice(-2000)}`);
    const complaints = await readComplaints(out);
    return new Map(
      summary.map(([, name, passed, failed]) => [
        name!,
        { passed: Number(passed), failed: Number(failed), complaints: complaints.get(name!) ?? ['wrote no checks'] },
      ]),
    );
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

async function readComplaints(out: string): Promise<Map<string, string[]>> {
  const complaints = new Map<string, string[]>();
  for (const folder of await readdir(out)) {
    const name = /^server-(.+?)-\d{4}-\d\d-\d\dT/.exec(folder)?.[1] ?? folder;
    const checks = JSON.parse(await readFile(path.join(out, folder, 'checks.json'), 'utf8')) as Check[];
    const bad = checks
      .filter(({ status }) => status === 'FAILURE' || status === 'WARNING')
      .map(({ id, status, errorMessage }) => `${status} ${id}: ${errorMessage ?? ''}`);
    // Some scenarios take any content for an answer, also that of a refusal.
    const refused =
      name !== 'tools-call-error' && checks.some(({ details }) => details?.result?.isError) ? ['the tool refused'] : [];
    complaints.set(name, [...bad, ...refused]);
  }
  return complaints;
}

export interface Bridge {
  /** Streamable HTTP in front of an HTTP+SSE endpoint. */
  url: string;
  stop(): Promise<void>;
}

/** The CLI speaks only Streamable HTTP; the bridge lets it reach an HTTP+SSE endpoint. */
export async function startBridge(sseUrl: string): Promise<Bridge> {
  const port = await freePort();
  const child = spawn(
    process.execPath,
    [path.join(root, 'test/support/sse-conformance-bridge.mjs'), sseUrl, String(port)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = once(child, 'exit');
  await Promise.race([
    once(child.stdout, 'data'),
    exited.then(([code]) => Promise.reject(new Error(`The bridge ended at once with ${code}.`))),
  ]);
  return { url: `http://localhost:${port}/mcp`, stop: () => stopChild(child, exited) };
}

async function stopChild(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  child.kill('SIGKILL');
  await exited;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
