import { randomBytes, randomInt } from 'node:crypto';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, type ClientSettings } from '#libs/platform';
import { downloadImage, type IsoDownload } from './download-image.js';
import { FactoryClient } from './factory-client.js';
import { mebibytes, progressLine, stageLine, type BuildProgress } from './progress-line.js';
import type { Screen } from './screen.js';
import { WaitingLines } from './waiting-lines.js';

export interface DemoOptions extends ClientSettings {
  template: string;
  name: string | undefined;
  outputDir: string;
  pollEveryMs?: number;
  /** Between two lines about the same, where there is no terminal. */
  tellEveryMs?: number;
}

export type DemoOutcome = 'done' | 'failed' | 'cancelled';

interface BuildStatus extends BuildProgress {
  name: string;
  error: {
    stage: string | null;
    reason: string;
    message: string;
    hint: string | null;
    fault: string;
    last_lines: string[];
    request_id: string | null;
  } | null;
}

const username = 'demo';
const downloadDrawnEveryMs = 200;

/** The whole way from a template to an image on this machine's disk, over MCP alone; only cancelling has no tool. */
export async function runDemo(options: DemoOptions, screen: Screen, signal: AbortSignal): Promise<DemoOutcome> {
  let client: FactoryClient | undefined;
  let running: string | undefined;
  try {
    client = await FactoryClient.connect(options, signal);
    screen.line(`Connected to ${options.url.href} over MCP.`);
    const { recipeId, password } = await makeRecipe(client, options, { screen, signal });
    // Not interrupted: a build whose id we never hear could not be cancelled.
    const { build_id: id } = await client.call<{ build_id: string }>('create_build', { recipe_id: recipeId });
    running = id;
    screen.line(`Build ${id} has started.\n`);
    const state = await follow(client, id, {
      screen,
      signal,
      pollEveryMs: options.pollEveryMs ?? 1_000,
      waiting: new WaitingLines(options.tellEveryMs),
    });
    running = undefined;
    if (state.status !== 'completed') return tellFailure(state, screen);
    const download = await client.call<IsoDownload>('get_iso_download_url', { build_id: id }, signal);
    const file = await fetchImage(download, path.resolve(options.outputDir), { screen, signal });
    tellHowToBoot(file, password, screen);
    return 'done';
  } catch (error) {
    screen.clear();
    if (!signal.aborted) throw error;
    if (client && running) {
      await client.cancelBuild(running);
      screen.line(`The build ${running} is cancelled.`);
    } else screen.line('Stopped.');
    return 'cancelled';
  } finally {
    await client?.close();
  }
}

interface Run {
  screen: Screen;
  signal: AbortSignal;
}

async function makeRecipe(
  client: FactoryClient,
  { template, name }: DemoOptions,
  { screen, signal }: Run,
): Promise<{ recipeId: string; password: string }> {
  const { recipes } = await client.call<{ recipes: { id: string; kind: string; title: string }[] }>(
    'list_recipes',
    {},
    signal,
  );
  const templates = recipes.filter(({ kind }) => kind === 'template');
  const chosen = templates.find(({ id }) => id === template);
  if (!chosen)
    throw new AppError({
      kind: 'not_found',
      reason: 'template_not_found',
      message: `There is no template "${template}".`,
      hint: `There are ${templates.map(({ id }) => id).join(', ')}.`,
    });
  screen.line(`${templates.length} templates; taking ${chosen.id}: ${chosen.title}.`);
  const password = newPassword();
  const recipe = await client.call<{ recipe_id: string; name: string }>(
    'create_recipe_from_template',
    {
      template_id: chosen.id,
      name: name ?? `demo-${chosen.id.replaceAll('.', '-').slice(0, 48)}-${randomBytes(3).toString('hex')}`,
      modifications: { add_users: [{ username, password, sudo: true }] },
    },
    signal,
  );
  screen.line(`Recipe ${recipe.name} is made.`);
  return { recipeId: recipe.recipe_id, password };
}

/** To be typed on whatever keyboard the image believes in: no y or z, nothing that looks like something else. 20 of 23 letters: 90 bits. */
function newPassword(): string {
  const letters = 'abcdefghijkmnopqrstuvwx';
  return Array.from({ length: 4 }, () =>
    Array.from({ length: 5 }, () => letters[randomInt(letters.length)]).join(''),
  ).join('-');
}

async function follow(
  client: FactoryClient,
  id: string,
  { screen, signal, pollEveryMs, waiting }: Run & { pollEveryMs: number; waiting: WaitingLines },
): Promise<BuildStatus> {
  let told = 0;
  let stage: string | null = null;
  let stageSince = performance.now();
  for (;;) {
    const state = await client.call<BuildStatus>('get_build_status', { build_id: id }, signal);
    const done = state.stages.filter((one) => one.state === 'done');
    // A build that another worker goes on with begins its stages anew.
    if (done.length < told) told = done.length;
    for (const one of done.slice(told)) screen.line(stageLine(one));
    told = done.length;
    if (['completed', 'failed', 'cancelled'].includes(state.status)) {
      screen.clear();
      return state;
    }
    if (state.stage !== stage) [stage, stageSince] = [state.stage, performance.now()];
    const line = screen.isTerminal
      ? undefined
      : await waiting.next(state, performance.now(), () => client.lastLogLine(id, signal));
    if (line !== undefined) screen.line(line);
    screen.redraw(
      progressLine(state, { stageSeconds: (performance.now() - stageSince) / 1_000, columns: screen.columns }),
    );
    await sleep(pollEveryMs, undefined, { signal });
  }
}

function tellFailure({ status, error, name }: BuildStatus, screen: Screen): DemoOutcome {
  screen.line('');
  if (status === 'cancelled' || !error) {
    screen.line(`The build of ${name} was cancelled by somebody else.`);
    return 'failed';
  }
  screen.line(
    `The build of ${name} failed${error.stage ? ` in the stage ${error.stage}` : ''} (${error.reason}): ${error.message}`,
  );
  if (error.hint) screen.line(error.hint);
  if (error.request_id) screen.line(`Your operator finds the details by ${error.request_id}.`);
  if (error.last_lines.length)
    screen.line(['The last lines of the log:', ...error.last_lines.map((line) => `  ${line}`)].join('\n'));
  return 'failed';
}

async function fetchImage(download: IsoDownload, dir: string, { screen, signal }: Run): Promise<string> {
  screen.line('');
  let drawnAt = -Infinity;
  const onBytes = (bytes: number) => {
    if (performance.now() - drawnAt < downloadDrawnEveryMs) return;
    drawnAt = performance.now();
    screen.redraw(
      `Downloading ${download.file_name}: ${mebibytes(bytes)} of ${mebibytes(download.size_bytes)}`.slice(
        0,
        screen.columns - 1,
      ),
    );
  };
  const file = await downloadImage(download, dir, { onBytes, signal });
  screen.line(`Downloaded ${file}: ${mebibytes(download.size_bytes)}, sha256 ${download.sha256} as promised.`);
  return file;
}

/** Quotes for a shell where a path needs them. */
const shellWord = (word: string): string => (/^[\w./+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

function tellHowToBoot(file: string, password: string, screen: Screen): void {
  screen.line(`
Boot it with a console in this terminal (Ctrl-A X ends it; without -accel kvm where there is no /dev/kvm):

  qemu-system-x86_64 -accel kvm -m 2048 -smp 2 -nographic -cdrom ${shellWord(file)} -nic user,hostfwd=tcp:127.0.0.1:2222-:22

Log in as ${username} with the password ${password} (shown only here). Where the image runs SSH:

  ssh -p 2222 ${username}@127.0.0.1`);
}
