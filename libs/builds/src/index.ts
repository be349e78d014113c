import type { EntityClass } from '#libs/platform';
import { BuildArtifactEntity } from './build-artifact.entity.js';
import { BuildLogEntity } from './build-log.entity.js';
import { BuildStageEntity } from './build-stage.entity.js';
import { BuildEntity } from './build.entity.js';

export { BuildsModule, type BuildsModuleOptions } from './builds.module.js';
export { measureCache, pruneCache } from './pipeline/prune-cache.js';
export { tryOwnFileSystem } from './pipeline/tree/layer-scratch.js';
export { PipelineModule } from './pipeline/pipeline.module.js';
export { BuildReader, type BootableImage } from './build.reader.js';
export type { Build, BuildArtifact, BuildStatus } from './build.js';
export {
  BuildFailure,
  BuildPipeline,
  stageNames,
  type BuiltArtifact,
  type PipelineInput,
  type PipelineListener,
  type PipelineOutcome,
  type StageName,
} from './pipeline/build-pipeline.port.js';

export const buildEntities: EntityClass[] = [BuildEntity, BuildStageEntity, BuildArtifactEntity, BuildLogEntity];
