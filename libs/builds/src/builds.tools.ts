import { Injectable } from '@nestjs/common';
import type { Caller } from '#libs/platform';
import { Tool, type CallContext } from '#libs/mcp';
import { BuildQueryService } from './build-query.service.js';
import { BuildService } from './build.service.js';
import {
  BuildDetails,
  BuildList,
  BuildState,
  CreateBuildInput,
  CreatedBuild,
  GetBuildInput,
  IsoDownload,
  ListBuildsInput,
  RetryBuildInput,
} from './builds.dto.js';
import { BuildDownloadService } from './downloads/build-download.service.js';

const reading = { toolset: 'builds', readOnly: true, destructive: false, idempotent: true, openWorld: false } as const;
const creating = {
  toolset: 'builds',
  readOnly: false,
  destructive: false,
  idempotent: false,
  openWorld: false,
} as const;

@Injectable()
export class BuildsTools {
  constructor(
    private readonly builds: BuildService,
    private readonly query: BuildQueryService,
    private readonly downloads: BuildDownloadService,
  ) {}

  @Tool({
    ...reading,
    name: 'list_builds',
    title: 'List builds',
    description:
      'Lists your builds, the newest first, optionally of one status. Use it to find the id of a build, or to see what runs. Returns id, name, status, stage, progress, base image and features of each; call get_build_status for one that runs, or get_build for everything about one.',
    input: ListBuildsInput,
    output: BuildList,
  })
  async listBuilds(caller: Caller, input: ListBuildsInput): Promise<BuildList> {
    return await this.query.list(caller, input);
  }

  @Tool({
    ...reading,
    name: 'get_build',
    title: 'Get a build',
    description:
      'Gives everything about one of your builds: its whole recipe, the stages with their times, the files it made with their checksums, and why it failed. Use it to look into a build that has ended or to reuse its recipe; while a build runs, get_build_status is smaller.',
    input: GetBuildInput,
    output: BuildDetails,
  })
  async getBuild(caller: Caller, { build_id }: GetBuildInput): Promise<BuildDetails> {
    return await this.query.get(caller, build_id);
  }

  @Tool({
    ...reading,
    name: 'get_build_status',
    title: 'Get the status of a build',
    description:
      'Tells how far a build is: status, stage, progress in percent, seconds of each stage and whether it came from the cache, estimated seconds left, and for a failed build the stage, whose fault it was, the last lines of the log and what to do. Use it after create_build, every few seconds, until the status is completed, failed or cancelled; next_step says what to call then.',
    input: GetBuildInput,
    output: BuildState,
  })
  async getBuildStatus(caller: Caller, { build_id }: GetBuildInput): Promise<BuildState> {
    return await this.query.state(caller, build_id);
  }

  @Tool({
    ...creating,
    name: 'create_build',
    title: 'Create a build',
    description:
      'Starts building a bootable ISO image from a recipe, and returns its build_id at once; the work goes on in the background and takes minutes. Give recipe (an object or its JSON text) or recipe_id (a template, or a recipe of your own). Use it once validate_recipe finds no error: an invalid recipe, or one with fields that this version does not build, is refused with every path. Then call get_build_status until it is completed.',
    input: CreateBuildInput,
    output: CreatedBuild,
  })
  async createBuild(
    caller: Caller,
    input: CreateBuildInput,
    { signal }: Pick<CallContext, 'signal'>,
  ): Promise<CreatedBuild> {
    return await this.builds.create(caller, input, signal);
  }

  @Tool({
    ...reading,
    name: 'get_iso_download_url',
    title: 'Get the download URL of an ISO',
    description:
      'Gives a URL that downloads the ISO image of a completed build, for curl, wget or a browser. It needs no credentials, expires after a while, and can be resumed. Use it when get_build_status says completed. Returns the URL, its expiry, file name, size, sha256 and a shell command; call it again for a new URL.',
    input: GetBuildInput,
    output: IsoDownload,
  })
  async getIsoDownloadUrl(caller: Caller, { build_id }: GetBuildInput): Promise<IsoDownload> {
    return await this.downloads.isoUrl(caller, build_id);
  }

  @Tool({
    ...creating,
    name: 'retry_build',
    title: 'Retry a build',
    description:
      'Starts a new build of the same recipe as a failed or cancelled build of yours. Use it after a failure that was not the fault of the recipe (fault: system); otherwise correct the recipe and call create_build. Stages that were finished come from the cache. Returns the id of the new build, with retry_of; then call get_build_status.',
    input: RetryBuildInput,
    output: CreatedBuild,
  })
  async retryBuild(caller: Caller, input: RetryBuildInput): Promise<CreatedBuild> {
    return await this.builds.retry(caller, input);
  }
}
