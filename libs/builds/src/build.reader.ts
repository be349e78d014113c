import { Injectable } from '@nestjs/common';
import { AppError, type Caller } from '#libs/platform';
import type { Build, BuildArtifact } from './build.js';
import { BuildRepository } from './build.repository.js';

/** What other rooms may ask of builds. */
@Injectable()
export class BuildReader {
  constructor(private readonly builds: BuildRepository) {}

  /** @throws AppError `build_not_found`, in the same words for another's build */
  async get(caller: Caller, id: string): Promise<Build> {
    return await this.builds.get(caller.ownerId, id);
  }

  /**
   * The image that a build gave; `verified` of the build tells whether it passed its boot.
   * @throws AppError `build_not_found`, `build_without_image`
   */
  async image(caller: Caller, id: string): Promise<BuildArtifact> {
    const build = await this.builds.get(caller.ownerId, id);
    const image = (await this.builds.artifacts(build.id)).find(({ name, sha256 }) => name.endsWith('.iso') && sha256 === build.imageSha256);
    if (!image) throw new AppError({ kind: 'wrong_state', reason: 'build_without_image', message: `The build is ${build.status} and has no image.`, hint: 'get_build_status tells more.' });
    return image;
  }
}
