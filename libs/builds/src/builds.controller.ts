import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBody,
  ApiHeader,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiProduces,
  ApiQuery,
  ApiTags,
} from '@nestjs/swagger';
import type { Response } from 'express';
import {
  clientSignal,
  CurrentCaller,
  parseInput,
  ReadOnlyRoute,
  Refuses,
  Settings,
  Toolset,
  withIdempotencyKey,
  type Caller,
} from '#libs/platform';
import { BuildQueryService } from './build-query.service.js';
import { BuildService } from './build.service.js';
import { buildStatuses } from './build.js';
import {
  CreateBuildInput,
  ListBuildsInput,
  RetryBuildInput,
  type BuildArtifactList,
  type BuildDetails,
  type BuildList,
  type BuildState,
  type CreatedBuild,
  type IsoDownload,
} from './builds.dto.js';
import { BuildDownloadService } from './downloads/build-download.service.js';

const schema = (name: string) => ({ schema: { $ref: `#/components/schemas/${name}` } });
const locationHeader = {
  Location: { required: true, description: 'URL of the build.', schema: { type: 'string', format: 'uri' } as const },
};
const keyHeader = { name: 'Idempotency-Key', required: false, description: 'Instead of idempotency_key in the body.' };

@ApiTags('builds')
@Toolset('builds')
@Controller('api/builds')
export class BuildsController {
  constructor(
    private readonly builds: BuildService,
    private readonly query: BuildQueryService,
    private readonly downloads: BuildDownloadService,
    private readonly settings: Settings,
  ) {}

  @Get()
  @ApiOperation({ operationId: 'listBuilds', summary: 'The caller’s builds, the newest first' })
  @ApiQuery({ name: 'status_filter', required: false, enum: buildStatuses })
  @ApiQuery({ name: 'limit', required: false, type: Number, description: 'From 1 to 200; 20 if not given.' })
  @ApiOkResponse(schema('BuildList'))
  async list(@CurrentCaller() caller: Caller, @Query() query: unknown): Promise<BuildList> {
    return await this.query.list(caller, parseInput(ListBuildsInput, query));
  }

  @Post()
  @HttpCode(202)
  @Refuses({
    400: ['invalid_recipe'],
    404: ['recipe_not_found'],
    429: ['build_quota', 'build_records_quota', 'build_minutes_quota', 'disk_quota'],
    503: ['too_busy', 'hash_unavailable'],
  })
  @ApiOperation({ operationId: 'createBuild', summary: 'Starts a build of a recipe; answers at once' })
  @ApiHeader(keyHeader)
  @ApiBody(schema('CreateBuildInput'))
  @ApiAcceptedResponse({ ...schema('CreatedBuild'), headers: locationHeader })
  async create(
    @CurrentCaller() caller: Caller,
    @Body() body: unknown,
    @Res({ passthrough: true }) response: Response,
    @Headers('idempotency-key') key?: string,
  ): Promise<CreatedBuild> {
    return this.located(
      response,
      await this.builds.create(
        caller,
        parseInput(CreateBuildInput, withIdempotencyKey(body, key)),
        clientSignal(response),
      ),
    );
  }

  @Get(':id')
  @Refuses({ 404: ['build_not_found'] })
  @ApiOperation({ operationId: 'getBuild', summary: 'A whole build: recipe, stages, artifacts, error' })
  @ApiParam({ name: 'id', type: String })
  @ApiOkResponse(schema('BuildDetails'))
  async get(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<BuildDetails> {
    return await this.query.get(caller, id);
  }

  @Get(':id/status')
  @Refuses({ 404: ['build_not_found'] })
  @ApiOperation({ operationId: 'getBuildStatus', summary: 'Status, stages and progress of a build' })
  @ApiParam({ name: 'id', type: String })
  @ApiOkResponse(schema('BuildState'))
  async status(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<BuildState> {
    return await this.query.state(caller, id);
  }

  @Post(':id/cancel')
  @HttpCode(202)
  @Refuses({ 404: ['build_not_found'], 409: ['build_already_ended'] })
  @ApiOperation({
    operationId: 'cancelBuild',
    summary: 'Cancels a build: at once while it waits, else as soon as its worker has stopped',
  })
  @ApiParam({ name: 'id', type: String })
  @ApiAcceptedResponse(schema('BuildState'))
  async cancel(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<BuildState> {
    await this.builds.cancel(caller, id);
    return await this.query.state(caller, id);
  }

  @Post(':id/retry')
  @HttpCode(202)
  @Refuses({
    404: ['build_not_found'],
    409: ['build_not_retryable'],
    429: ['build_quota', 'build_records_quota', 'build_minutes_quota', 'disk_quota'],
  })
  @ApiOperation({ operationId: 'retryBuild', summary: 'A new build of the recipe of a failed or cancelled one' })
  @ApiParam({ name: 'id', type: String })
  @ApiHeader({ ...keyHeader, description: 'The same key returns the first new build instead of making another.' })
  @ApiAcceptedResponse({ ...schema('CreatedBuild'), headers: locationHeader })
  async retry(
    @CurrentCaller() caller: Caller,
    @Param('id') id: string,
    @Res({ passthrough: true }) response: Response,
    @Headers('idempotency-key') key?: string,
  ): Promise<CreatedBuild> {
    return this.located(
      response,
      await this.builds.retry(caller, parseInput(RetryBuildInput, withIdempotencyKey({ build_id: id }, key))),
    );
  }

  @ReadOnlyRoute()
  @Post(':id/download-url')
  @HttpCode(200)
  @Refuses({ 404: ['build_not_found'], 409: ['build_not_completed', 'image_deleted'] })
  @ApiOperation({
    operationId: 'getIsoDownloadUrl',
    summary: 'A signed, expiring URL of the image of a completed build',
  })
  @ApiParam({ name: 'id', type: String })
  @ApiOkResponse(schema('IsoDownload'))
  async downloadUrl(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<IsoDownload> {
    return await this.downloads.isoUrl(caller, id);
  }

  @Delete(':id')
  @HttpCode(204)
  @Refuses({ 404: ['build_not_found'], 409: ['build_not_ended'] })
  @ApiOperation({ operationId: 'deleteBuild', summary: 'Deletes a build that has ended, with its log and artifacts' })
  @ApiParam({ name: 'id', type: String })
  @ApiNoContentResponse()
  async delete(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<void> {
    await this.builds.delete(caller, id);
  }

  @Get(':id/artifacts')
  @Refuses({ 404: ['build_not_found'] })
  @ApiOperation({ operationId: 'listBuildArtifacts', summary: 'Files that a build made' })
  @ApiParam({ name: 'id', type: String })
  @ApiProduces('application/json')
  @ApiOkResponse(schema('BuildArtifactList'))
  async artifacts(@CurrentCaller() caller: Caller, @Param('id') id: string): Promise<BuildArtifactList> {
    return await this.query.artifacts(caller, id);
  }

  private located(response: Response, build: CreatedBuild): CreatedBuild {
    response.setHeader('Location', `${this.settings.publicUrl}/api/builds/${build.build_id}`);
    return build;
  }
}
