import { Injectable } from '@nestjs/common';
import { text as textOf } from 'node:stream/consumers';
import { ArtifactStore } from '#libs/artifacts';
import { AppError, type Caller } from '#libs/platform';
import type { Build, BuildArtifact } from './build.js';
import { BuildRepository } from './build.repository.js';
import { isWithoutAgent, type PackageLock } from './pipeline/package-lock.js';
import { persistenceLabelOf } from './pipeline/iso/iso-identity.js';

/** An image that passed its boot. */
export interface BootableImage {
  buildId: string;
  buildName: string;
  sha256: string;
  sizeBytes: number;
  /** For ArtifactStore. */
  storeKey: string;
  /** Of the disk or partition that the image keeps changes on (docs/builds.md). */
  persistenceLabel: string;
}

const mostLockBytes = 32 << 20;

/** What other modules may ask of builds. */
@Injectable()
export class BuildReader {
  constructor(
    private readonly builds: BuildRepository,
    private readonly store: ArtifactStore,
  ) {}

  /** @throws AppError `build_not_found`, in the same words for another's build */
  async get(caller: Caller, id: string): Promise<Build> {
    return await this.builds.get(caller.ownerId, id);
  }

  /**
   * The image that a build gave; `verified` of the build tells whether it passed its boot.
   * @throws AppError `build_not_found`, `build_without_image`
   */
  async image(caller: Caller, id: string): Promise<BuildArtifact> {
    return await this.imageOf(await this.builds.get(caller.ownerId, id));
  }

  /**
   * What a machine of this build starts from.
   * @throws AppError `build_not_found`, `build_not_completed`, `build_without_image`
   */
  async bootableImage(caller: Caller, id: string): Promise<BootableImage> {
    const build = await this.builds.get(caller.ownerId, id);
    if (build.status !== 'completed') throw notCompleted(build);
    const { sha256, sizeBytes, storeKey } = await this.imageOf(build);
    if (!build.imageId)
      throw new AppError({
        kind: 'wrong_state',
        reason: 'build_without_image',
        message: 'The image was made by an earlier version and does not tell its label.',
        hint: 'Build the recipe again with create_build.',
      });
    return {
      buildId: build.id,
      buildName: build.name,
      sha256,
      sizeBytes,
      storeKey,
      persistenceLabel: persistenceLabelOf(build.imageId),
    };
  }

  /** Of these images, those that no build of their owner keeps any more. */
  async imagesGone(
    images: readonly { ownerId: string; sha256: string }[],
  ): Promise<{ ownerId: string; sha256: string }[]> {
    const kept = await this.builds.keptImages(images.map(({ sha256 }) => sha256));
    return images.filter(
      ({ ownerId, sha256 }) => !kept.some((other) => other.ownerId === ownerId && other.sha256 === sha256),
    );
  }

  /** By the lock of its image: nothing inside answers to anybody outside then, and no helper of ours is there. False where the lock is gone. */
  async isWithoutAgent(id: string): Promise<boolean> {
    const lock = (await this.builds.artifacts(id)).find(({ name }) => name === 'lock.json');
    if (!lock || lock.sizeBytes > mostLockBytes) return false;
    const text = await textOf(await this.store.open(lock.storeKey));
    return isWithoutAgent(JSON.parse(text) as PackageLock);
  }

  private async imageOf(build: Build): Promise<BuildArtifact> {
    const image = (await this.builds.artifacts(build.id)).find(
      ({ name, sha256 }) => name.endsWith('.iso') && sha256 === build.imageSha256,
    );
    if (!image)
      throw new AppError({
        kind: 'wrong_state',
        reason: 'build_without_image',
        message: `The build is ${build.status} and has no image.`,
        hint: 'get_build_status tells more.',
      });
    return image;
  }
}

function notCompleted({ status }: Build): AppError {
  const hint =
    status === 'failed' || status === 'cancelled'
      ? 'Correct what get_build_status tells and build again, or choose another build with list_builds.'
      : 'Call get_build_status until it is completed.';
  return new AppError({
    kind: 'wrong_state',
    reason: 'build_not_completed',
    message: `The build is ${status}; only the image of a completed one passed its boot.`,
    hint,
  });
}
