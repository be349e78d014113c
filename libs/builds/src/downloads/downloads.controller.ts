import { Controller, Get, Param, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { ArtifactStore } from '#libs/artifacts';
import { FlowingAnswers, OpenResponses, PublicRoute } from '#libs/platform';
import { sendArtifact } from './artifact-response.js';
import { FileAnswers } from './file-answers.js';
import { BuildDownloadService } from './build-download.service.js';

@ApiTags('builds')
@Controller('api/downloads')
export class DownloadsController {
  constructor(
    private readonly downloads: BuildDownloadService,
    private readonly store: ArtifactStore,
    private readonly responses: OpenResponses,
    private readonly answers: FlowingAnswers,
  ) {}

  /** Public on purpose: the token is the permission. */
  @PublicRoute()
  @Get(':token')
  @FileAnswers({
    403: ['download_link_invalid', 'download_link_expired', 'download_link_revoked'],
    404: ['build_not_found', 'artifact_not_found'],
  })
  @ApiOperation({
    operationId: 'download',
    summary: 'The file that a signed, expiring URL stands for; needs no credentials, and understands Range',
  })
  @ApiParam({ name: 'token', type: String })
  async download(@Param('token') token: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    const { artifact, maker } = await this.downloads.artifactFor(token);
    if (maker) this.responses.watch(maker, response);
    this.answers.admit(request, response);
    await sendArtifact(request, response, artifact, this.store);
  }
}
