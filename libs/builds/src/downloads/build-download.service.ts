import { Injectable } from '@nestjs/common';
import {
  AppError,
  CallerService,
  clip,
  FactorySecret,
  notFound,
  Revocations,
  Settings,
  type Caller,
} from '#libs/platform';
import { safeName } from './artifact-response.js';
import type { BuildArtifact } from '../build.js';
import { BuildRepository, buildNotFound } from '../build.repository.js';
import type { IsoDownload } from '../builds.dto.js';
import { readDownload, signDownload } from './download-token.js';

/** Who may read which file of which build. */
@Injectable()
export class BuildDownloadService {
  private readonly key: Buffer;

  constructor(
    private readonly builds: BuildRepository,
    private readonly settings: Settings,
    private readonly callers: CallerService,
    private readonly revocations: Revocations,
    secret: FactorySecret,
  ) {
    this.key = secret.derive('artifact-url');
  }

  /**
   * A URL of the image that works without credentials, for a while, and no longer than what its caller came with.
   * @throws AppError `build_not_found`, `build_not_completed`, `image_deleted`
   */
  async isoUrl(caller: Caller, id: string): Promise<IsoDownload> {
    const build = await this.builds.get(caller.ownerId, id);
    if (build.status !== 'completed') throw notCompleted(build.status);
    const image = (await this.builds.artifacts(build.id)).find(
      ({ name, sha256 }) => name.endsWith('.iso') && sha256 === build.imageSha256,
    );
    if (!image)
      throw new AppError({
        kind: 'wrong_state',
        reason: 'image_deleted',
        message: 'The image of this build was deleted for its age.',
        hint: 'Build it again: create_build with the recipe that get_build shows.',
      });
    // Whole seconds, because the token holds no fractions.
    const expiresAt = new Date(Math.floor(Date.now() / 1000 + this.settings.downloadUrlMinutes * 60) * 1000);
    const url = `${this.settings.publicUrl}/api/downloads/${signDownload(this.key, { buildId: build.id, artifactId: image.id, expiresAt, principalId: caller.kind === 'anonymous' ? undefined : caller.principalId })}`;
    const fileName = safeName(image.name);
    return {
      url,
      expires_at: expiresAt.toISOString(),
      file_name: fileName,
      size_bytes: image.sizeBytes,
      sha256: image.sha256,
      command: `curl -fL -C - -o ${fileName} '${url}' && echo '${image.sha256}  ${fileName}' | sha256sum -c`,
    };
  }

  /** @throws AppError `build_not_found`, `artifact_not_found` */
  async artifactOf(caller: Caller, id: string, name: string): Promise<BuildArtifact> {
    const build = await this.builds.get(caller.ownerId, id);
    const found = (await this.builds.artifacts(build.id)).find((artifact) => artifact.name === name);
    if (!found) throw notFound('artifact', clip(name), 'GET /api/builds/{id}/artifacts lists the files of a build.');
    return found;
  }

  /**
   * What a token stands for, and what its maker stands on now.
   * @throws AppError `download_link_invalid`, `download_link_expired`, `download_link_revoked`, `build_not_found`
   */
  async artifactFor(token: string): Promise<{
    artifact: BuildArtifact;
    maker: Pick<Caller, 'revocationSubjects' | 'expiresAt' | 'checkedAt'> | undefined;
  }> {
    const { buildId, artifactId, principalId } = readDownload(this.key, token, new Date());
    const checkedAt = this.revocations.count;
    const grant = principalId === undefined ? undefined : await this.callers.currentGrant(principalId);
    if (principalId !== undefined && !grant) throw revokedLink();
    const artifact = await this.builds.findArtifact(buildId, artifactId);
    if (!artifact) throw buildNotFound(buildId);
    return { artifact, maker: grant && { ...grant, checkedAt } };
  }
}

function revokedLink(): AppError {
  return new AppError({
    kind: 'forbidden',
    reason: 'download_link_revoked',
    message: 'Whoever asked for this download link may not download any more.',
    hint: 'Sign in again, or use another key, and ask for a new one.',
  });
}

function notCompleted(status: string): AppError {
  const hint =
    status === 'failed' || status === 'cancelled'
      ? 'retry_build builds it again; get_build_status tells why it ended.'
      : 'Wait until get_build_status says completed.';
  return new AppError({
    kind: 'wrong_state',
    reason: 'build_not_completed',
    message: `The build is ${status}; only a completed one has an image to download.`,
    hint,
  });
}
