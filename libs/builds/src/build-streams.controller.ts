import { Controller, Get, Headers, Param, Query, Req, Res } from '@nestjs/common';
import {
  ApiHeader,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiProduces,
  ApiQuery,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { pipeline } from 'node:stream/promises';
import { ArtifactStore } from '#libs/artifacts';
import { CurrentCaller, FlowingAnswers, parseInput, Refuses, Toolset, type Caller } from '#libs/platform';
import { sendEvents } from './build-events.response.js';
import { BuildFeedService } from './build-feed.service.js';
import { BuildQueryService } from './build-query.service.js';
import { isFinal } from './build.js';
import { ReadLogInput } from './builds.dto.js';
import { sendArtifact } from './downloads/artifact-response.js';
import { FileAnswers } from './downloads/file-answers.js';
import { BuildDownloadService } from './downloads/build-download.service.js';

/** What a build gives that is not JSON: its log, its events, its files. */
@ApiTags('builds')
@Toolset('builds')
@Controller('api/builds/:id')
export class BuildStreamsController {
  constructor(
    private readonly query: BuildQueryService,
    private readonly feeds: BuildFeedService,
    private readonly downloads: BuildDownloadService,
    private readonly store: ArtifactStore,
    private readonly answers: FlowingAnswers,
  ) {}

  @Get('log')
  @Refuses({ 404: ['build_not_found'], 429: ['too_many_downloads'] })
  @ApiOperation({
    operationId: 'getBuildLog',
    summary: 'The log of a build up to now; X-Log-Next tells where to go on',
  })
  @ApiParam({ name: 'id', type: String })
  @ApiQuery({ name: 'from', required: false, type: Number, description: 'Byte to start from; 0 if not given.' })
  @ApiQuery({ name: 'tail', required: false, type: Number, description: 'Only so many lines, the last ones.' })
  @ApiProduces('text/plain')
  @ApiOkResponse({
    description: 'The log.',
    headers: { 'X-Log-Next': { required: true, description: 'Byte to ask from next.', schema: { type: 'string' } } },
    content: { 'text/plain': { schema: { type: 'string' } } },
  })
  async log(
    @CurrentCaller() caller: Caller,
    @Param('id') id: string,
    @Query() query: unknown,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const { next, pieces } = await this.query.log(caller, id, parseInput(ReadLogInput, query));
    this.answers.admit(request, response);
    response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8', 'X-Log-Next': String(next) });
    await pipeline(pieces, response).catch(() => response.destroy());
  }

  @Get('events')
  @Refuses({ 404: ['build_not_found'], 429: ['too_many_downloads', 'too_many_streams'] })
  @ApiOperation({ operationId: 'followBuild', summary: 'Server-sent events until the build ends: status, log, end' })
  @ApiParam({ name: 'id', type: String })
  @ApiHeader({
    name: 'Last-Event-ID',
    required: false,
    description: 'Byte of the log to go on from, as the last event told it.',
  })
  @ApiProduces('text/event-stream')
  @ApiOkResponse({ description: 'Events.', content: { 'text/event-stream': { schema: { type: 'string' } } } })
  @ApiResponse({ status: 204, description: 'The build has ended and everything was told; do not come back.' })
  async events(
    @CurrentCaller() caller: Caller,
    @Param('id') id: string,
    @Req() request: Request,
    @Res() response: Response,
    @Headers('last-event-id') last?: string,
  ): Promise<void> {
    const from = last !== undefined && /^\d{1,15}$/.test(last) ? Number(last) : 0;
    if (last !== undefined && (await this.ended(caller, id, from))) return void response.status(204).end();
    this.answers.admit(request, response);
    const closed = new AbortController();
    response.on('close', () => closed.abort());
    await sendEvents(response, await this.feeds.follow(caller, id, from, closed.signal), closed.signal);
  }

  @Get('artifacts/:name')
  @FileAnswers({ 404: ['build_not_found', 'artifact_not_found'] })
  @ApiOperation({ operationId: 'getBuildArtifact', summary: 'A file that a build made; Range is understood' })
  @ApiParam({ name: 'id', type: String })
  @ApiParam({ name: 'name', type: String })
  async artifact(
    @CurrentCaller() caller: Caller,
    @Param('id') id: string,
    @Param('name') name: string,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const artifact = await this.downloads.artifactOf(caller, id, name);
    this.answers.admit(request, response);
    await sendArtifact(request, response, artifact, this.store);
  }

  /** An EventSource comes back after every end; 204 is what stops it. */
  private async ended(caller: Caller, id: string, from: number): Promise<boolean> {
    const { status } = await this.query.state(caller, id);
    return isFinal(status) && (await this.query.log(caller, id, { from })).next <= from;
  }
}
