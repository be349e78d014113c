import type { Readable } from 'node:stream';
import { AppError } from '#libs/platform';

export interface ArtifactToStore {
  /** What the artifact belongs to: a uuid, never a text of a stranger. */
  group: string;
  /** The file to take over. It is gone afterwards. */
  path: string;
  /** What the content must be: hex sha256. */
  sha256: string;
  sizeBytes: number;
}

export interface StoredArtifact {
  /** Opaque; made by the store. */
  key: string;
  sizeBytes: number;
  sha256: string;
}

/** Both ends inclusive, as in HTTP. */
export interface ByteRange {
  first: number;
  last: number;
}

export interface GroupUsage {
  group: string;
  count: number;
  sizeBytes: number;
  /** When something of it was last written. */
  changedAt: Date;
}

/** Keeps what the factory makes. An artifact is whole or absent, and never changes. */
export abstract class ArtifactStore {
  /**
   * Hashes the content while it takes it over.
   * @throws ArtifactMismatch where the content is not what was said; nothing is kept then
   */
  abstract put(artifact: ArtifactToStore, signal?: AbortSignal): Promise<StoredArtifact>;
  /** @throws ArtifactMissing */
  abstract open(key: string, range?: ByteRange): Promise<Readable>;
  /**
   * Where the artifact is a file of this host: for whoever would otherwise copy a gigabyte. To be read or linked, never written.
   * @returns undefined where it is kept elsewhere, or not at all
   */
  abstract localPath(key: string): Promise<string | undefined>;
  /** Size in bytes; undefined where there is no such artifact. */
  abstract stat(key: string): Promise<{ sizeBytes: number } | undefined>;
  /** Deleting what is not there is no error. */
  abstract delete(key: string): Promise<void>;
  abstract deleteGroup(group: string): Promise<void>;
  abstract usage(): Promise<GroupUsage[]>;
}

export class ArtifactMismatch extends AppError {
  constructor(what: string) {
    super({
      kind: 'internal',
      reason: 'artifact_mismatch',
      message: `An artifact is not what its maker said: ${what}.`,
    });
    this.name = 'ArtifactMismatch';
  }
}

export class ArtifactMissing extends AppError {
  constructor() {
    super({
      kind: 'not_found',
      reason: 'artifact_not_found',
      message: 'This artifact is not kept any more.',
      hint: 'Build the recipe again.',
    });
    this.name = 'ArtifactMissing';
  }
}
