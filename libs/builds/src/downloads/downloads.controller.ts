import { Controller, Get, Param, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { ArtifactStore } from '#libs/artifacts';
import { FlowingAnswers, OpenResponses, PublicRoute } from '#libs/platform';
import { sendArtifact } from './artifact-response.js';
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
  @ApiOperation({ operationId: 'download', summary: 'The file that a signed, expiring URL stands for; needs no credentials' })
  @ApiParam({ name: 'token', type: String })
  @ApiProduces('application/octet-stream')
  @ApiResponse({ status: 200, description: 'The file; Range is understood.', content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } } })
  @ApiResponse({ status: 206, description: 'A part of the file.' })
  @ApiResponse({ status: 403, description: 'The link is forged, has expired, or was revoked with the key that asked for it.' })
  @ApiResponse({ status: 416, description: 'The range lies outside of the file.' })
  async download(@Param('token') token: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    const { artifact, maker } = await this.downloads.artifactFor(token);
    if (maker) this.responses.watch(maker, response);
    this.answers.admit(request, response);
    await sendArtifact(request, response, artifact, this.store);
  }
}
