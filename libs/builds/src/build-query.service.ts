import { Injectable } from '@nestjs/common';
import type { Caller } from '#libs/platform';
import { BuildLogRepository } from './build-log.repository.js';
import { artifactOf, detailsOf, stateOf, summaryOf } from './build-view.js';
import type { Build, TypicalSeconds } from './build.js';
import { BuildRepository } from './build.repository.js';
import type {
  BuildArtifactList,
  BuildDetails,
  BuildList,
  BuildState,
  ListBuildsInput,
  ReadLogInput,
} from './builds.dto.js';

const typicalForMs = 10_000;
const mostTailBytes = 1 << 20;

export interface LogReading {
  /** Where the next reading goes on. */
  next: number;
  pieces: AsyncIterable<Buffer>;
}

/** The use cases that look at builds. */
@Injectable()
export class BuildQueryService {
  private typical: { at: number; seconds: Promise<TypicalSeconds> } | undefined;

  constructor(
    private readonly builds: BuildRepository,
    private readonly logs: BuildLogRepository,
  ) {}

  async list(caller: Caller, { status_filter, limit }: ListBuildsInput): Promise<BuildList> {
    const { builds, total } = await this.builds.list(caller.ownerId, status_filter, limit);
    return { builds: builds.map(summaryOf), total };
  }

  /** @throws AppError `build_not_found`; so do all below */
  async get(caller: Caller, id: string): Promise<BuildDetails> {
    const build = await this.builds.get(caller.ownerId, id);
    return detailsOf(build, await this.builds.stages(build.id), await this.builds.artifacts(build.id));
  }

  async state(caller: Caller, id: string): Promise<BuildState> {
    return await this.stateOf(await this.builds.get(caller.ownerId, id));
  }

  async stateOf(build: Build): Promise<BuildState> {
    const [runs, typical, queuePosition] = await Promise.all([
      this.builds.stages(build.id),
      this.typicalSeconds(),
      build.status === 'pending' ? this.builds.queuedBefore(build) : null,
    ]);
    return stateOf(build, runs, { typical, queuePosition, now: new Date() });
  }

  async artifacts(caller: Caller, id: string): Promise<BuildArtifactList> {
    const build = await this.builds.get(caller.ownerId, id);
    return { artifacts: (await this.builds.artifacts(build.id)).map(artifactOf) };
  }

  /** The log up to now: from a byte on, or its last lines. */
  async log(caller: Caller, id: string, { from, tail }: ReadLogInput): Promise<LogReading> {
    const build = await this.builds.get(caller.ownerId, id);
    if (tail === undefined) return { next: Math.max(from, build.logBytes), pieces: this.logPieces(build, from) };
    const pieces = await collect(this.logPieces(build, Math.max(from, build.logBytes - mostTailBytes)));
    return { next: build.logBytes, pieces: only(lastLines(Buffer.concat(pieces), tail)) };
  }

  /** What the log holds from this byte on, up to the length that the build tells. */
  async *logPieces(build: Build, from: number): AsyncGenerator<Buffer> {
    for (let at = from; at < build.logBytes;) {
      const piece = (await this.logs.read(build, at)).subarray(0, build.logBytes - at);
      if (!piece.length) return;
      at += piece.length;
      yield piece;
    }
  }

  /** The same for everybody and changing slowly: asked of the database at most every ten seconds. */
  private async typicalSeconds(): Promise<TypicalSeconds> {
    if (!this.typical || Date.now() - this.typical.at > typicalForMs)
      this.typical = { at: Date.now(), seconds: this.builds.typicalSeconds() };
    try {
      return await this.typical.seconds;
    } catch (error) {
      this.typical = undefined;
      throw error;
    }
  }
}

function lastLines(text: Buffer, count: number): Buffer {
  let at = text.length - 1;
  for (let found = 0; found < count && at >= 0; found++) at = at === 0 ? -1 : text.lastIndexOf(10, at - 1);
  return text.subarray(at + 1);
}

async function collect(pieces: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}

// eslint-disable-next-line @typescript-eslint/require-await -- one piece, where pieces are wanted
async function* only(piece: Buffer): AsyncGenerator<Buffer> {
  yield piece;
}
