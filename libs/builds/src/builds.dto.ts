import { Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { Doc, Out, schemaOf, schemaRef } from '#libs/platform';
import { outlineOf, RecipeDto } from '#libs/recipes';
import { buildStatuses, type BuildError, type BuildStatus } from './build.js';
import { stageNames, type StageName } from './pipeline/build-pipeline.port.js';

const listOf = (items: object) => ({ type: 'array', items });
const orNull = (type: string, more: object = {}) => ({ type: [type, 'null'], ...more });
const time = { type: 'string', format: 'date-time' };
const timeOrNull = orNull('string', { format: 'date-time' });
const text = { type: 'string' };
const integer = { type: 'integer' };
const status = { type: 'string', enum: [...buildStatuses] };
const stage = { type: ['string', 'null'], enum: [...stageNames, null] };

const keyDoc = 'The same key with the same input returns the first result instead of making a second build.';

export class ListBuildsInput {
  @IsOptional() @IsIn(buildStatuses) @Doc('Only builds in this status.') status_filter?: BuildStatus;
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(200)
  @Doc('At most so many, the newest first.', { default: 20 })
  limit: number = 20;
}

export class GetBuildInput {
  @IsString() @MaxLength(100) @Doc('Id of a build of yours, as create_build and list_builds tell it.') build_id: string;
}

export class CreateBuildInput {
  @IsOptional()
  @Doc(
    'The recipe, as an object or as its JSON text. name and base_image are required. Either this or recipe_id.',
    outlineOf(schemaOf(RecipeDto)),
  )
  recipe?: unknown;
  @IsOptional()
  @IsString()
  @MaxLength(100)
  @Doc('Instead of recipe: a template ("debian-server"), or a recipe of your own ("rcp-…").')
  recipe_id?: string;
  @IsOptional() @IsString() @MaxLength(255) @Doc(keyDoc) idempotency_key?: string;
}

export class RetryBuildInput {
  @IsString() @MaxLength(100) @Doc('Id of a failed or cancelled build of yours.') build_id: string;
  @IsOptional() @IsString() @MaxLength(255) @Doc(keyDoc) idempotency_key?: string;
}

export class ReadLogInput {
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  @Doc('Byte of the log to start from.', { default: 0 })
  from: number = 0;
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(10_000)
  @Doc('Only so many lines, the last ones.')
  tail?: number;
}

export class BuildSummary {
  @Out('Id for the other build tools.', text) build_id: string;
  @Out('Name of the recipe.', text) name: string;
  @Out('pending, building, testing (the image is booted), completed, failed or cancelled.', status) status: BuildStatus;
  @Out('Stage that runs, or that ran last.', stage) stage: StageName | null;
  @Out('Percent done; only grows.', integer) progress: number;
  @Out('Base image.', text) base_image: string;
  @Out('Features that the recipe names.', listOf(text)) features: string[];
  @Out('Whether the image passed its boot; null while there is no image.', orNull('boolean')) verified: boolean | null;
  @Out('The build that this one repeats.', orNull('string')) retry_of: string | null;
  @Out('When it was asked for.', time) created_at: string;
  @Out('When it ended.', timeOrNull) finished_at: string | null;
}

export class BuildList {
  @Out('Builds, the newest first.', listOf(schemaRef('BuildSummary'))) builds: BuildSummary[];
  @Out('How many there are, beyond the limit too.', integer) total: number;
}

export class BuildFault {
  @Out('Stage that failed; null where it was none of them.', stage) stage: StageName | null;
  @Out('Stable word for what went wrong.', text) reason: string;
  @Out('What went wrong.', text) message: string;
  @Out('What to do about it.', orNull('string')) hint: string | null;
  @Out('caller: change the recipe; system: the factory’s own fault, retry_build may help.', {
    type: 'string',
    enum: ['caller', 'system'],
  })
  fault: BuildError['fault'];
  @Out('The last meaningful lines of the log.', listOf(text)) last_lines: string[];
  @Out('What an operator finds the fault by.', orNull('string')) request_id: string | null;
}
const fault = { anyOf: [schemaRef('BuildFault'), { type: 'null' }] };

export class BuildStageState {
  @Out('Stage.', { type: 'string', enum: [...stageNames] }) stage: StageName;
  @Out('running, done or stopped.', { type: 'string', enum: ['running', 'done', 'stopped'] }) state:
    'running' | 'done' | 'stopped';
  @Out('Seconds that it took; null until it is done.', orNull('number')) seconds: number | null;
  @Out('Whether its result was in the cache.', orNull('boolean')) from_cache: boolean | null;
}

export class BuildState {
  @Out('Id.', text) build_id: string;
  @Out('Name of the recipe.', text) name: string;
  @Out('pending, building, testing (the image is booted), completed, failed or cancelled.', status) status: BuildStatus;
  @Out('Stage that runs, or that ran last.', stage) stage: StageName | null;
  @Out('Percent done; only grows.', integer) progress: number;
  @Out('Stages so far, in order.', listOf(schemaRef('BuildStageState'))) stages: BuildStageState[];
  @Out('Builds that wait in front of this one; null once it runs.', orNull('integer')) queue_position: number | null;
  @Out('Seconds until it is done, from what earlier builds took; null while unknown and at the end.', orNull('integer'))
  estimated_seconds_left: number | null;
  @Out('Whether somebody asked to cancel it.', { type: 'boolean' }) cancel_requested: boolean;
  @Out('Whether the image passed its boot; null while there is no image.', orNull('boolean')) verified: boolean | null;
  @Out('Why it failed.', fault) error: BuildFault | null;
  @Out('When something last changed.', time) updated_at: string;
  @Out('What to do next.', text) next_step: string;
}

export class BuildArtifactDetails {
  @Out('File name.', text) name: string;
  @Out('Media type.', text) media_type: string;
  @Out('Size in bytes.', integer) size_bytes: number;
  @Out('sha256 of the content, hex.', text) sha256: string;
}

export class BuildArtifactList {
  @Out('Files that the build made.', listOf(schemaRef('BuildArtifactDetails'))) artifacts: BuildArtifactDetails[];
}

export class BuildDetails {
  @Out('Id.', text) build_id: string;
  @Out('Name of the recipe.', text) name: string;
  @Out('pending, building, testing (the image is booted), completed, failed or cancelled.', status) status: BuildStatus;
  @Out('Stage that runs, or that ran last.', stage) stage: StageName | null;
  @Out('Percent done; only grows.', integer) progress: number;
  @Out('The whole recipe; passwords are hashes.', { type: 'object', additionalProperties: true }) recipe: Record<
    string,
    unknown
  >;
  @Out('The template or recipe it was made from.', orNull('string')) recipe_id: string | null;
  @Out('The build that this one repeats.', orNull('string')) retry_of: string | null;
  @Out('Stages so far, in order.', listOf(schemaRef('BuildStageState'))) stages: BuildStageState[];
  @Out(
    'Files that the build made; empty once they are deleted for their age.',
    listOf(schemaRef('BuildArtifactDetails')),
  )
  artifacts: BuildArtifactDetails[];
  @Out('sha256 of the image, hex.', orNull('string')) image_sha256: string | null;
  @Out('Whether the image passed its boot; null while there is no image.', orNull('boolean')) verified: boolean | null;
  @Out('Why it failed.', fault) error: BuildFault | null;
  @Out('When it was asked for.', time) created_at: string;
  @Out('When a worker first took it.', timeOrNull) started_at: string | null;
  @Out('When it ended.', timeOrNull) finished_at: string | null;
  @Out('When its files were deleted for their age.', timeOrNull) artifacts_deleted_at: string | null;
}

export class CreatedBuild {
  @Out('Id of the new build.', text) build_id: string;
  @Out('Name of the recipe.', text) name: string;
  @Out('Status: pending.', status) status: BuildStatus;
  @Out('The build that this one repeats.', orNull('string')) retry_of: string | null;
  @Out('Rough estimate of the whole build; null while the package index is not loaded.', orNull('integer'))
  estimated_seconds: number | null;
  @Out('When it was asked for.', time) created_at: string;
  @Out('What to do next.', text) next_step: string;
}

export class IsoDownload {
  @Out('URL of the image; needs no credentials, so hand it only to who may have the image.', {
    type: 'string',
    format: 'uri',
  })
  url: string;
  @Out('Until when the URL is valid.', time) expires_at: string;
  @Out('File name.', text) file_name: string;
  @Out('Size in bytes.', integer) size_bytes: number;
  @Out('sha256 of the image, hex.', text) sha256: string;
  @Out('A shell command that downloads the image and goes on where it was cut off.', text) command: string;
}
