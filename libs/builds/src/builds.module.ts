import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { ArtifactsModule } from '#libs/artifacts';
import { RecipesModule } from '#libs/recipes';
import { BuildAllowance } from './build-allowance.service.js';
import { BuildFeedService } from './build-feed.service.js';
import { BuildAdmission } from './build-admission.service.js';
import { BuildLogRepository } from './build-log.repository.js';
import { BuildQueryService } from './build-query.service.js';
import { BuildQueue } from './build-queue.service.js';
import { BuildRunRepository } from './build-run.repository.js';
import { BuildRunner } from './build-runner.service.js';
import { BuildStreamsController } from './build-streams.controller.js';
import { BuildWarmUp } from './build-warm-up.js';
import { BuildReader } from './build.reader.js';
import { BuildRepository } from './build.repository.js';
import { BuildService } from './build.service.js';
import { BuildsController } from './builds.controller.js';
import { BuildsJobs } from './builds.jobs.js';
import { BuildsTools } from './builds.tools.js';
import { BuildDownloadService } from './downloads/build-download.service.js';
import { DownloadsController } from './downloads/downloads.controller.js';

export interface BuildsModuleOptions {
  /** Exports BuildPipeline. */
  pipeline: Type | DynamicModule;
}

@Module({})
export class BuildsModule {
  static forRoot({ pipeline }: BuildsModuleOptions): DynamicModule {
    return {
      module: BuildsModule,
      imports: [ArtifactsModule, RecipesModule, pipeline],
      controllers: [BuildsController, BuildStreamsController, DownloadsController],
      providers: [
        BuildRepository,
        BuildRunRepository,
        BuildLogRepository,
        BuildQueue,
        BuildAllowance,
        BuildAdmission,
        BuildService,
        BuildQueryService,
        BuildFeedService,
        BuildDownloadService,
        BuildReader,
        BuildRunner,
        BuildsJobs,
        BuildsTools,
        BuildWarmUp,
      ],
      exports: [BuildReader],
    };
  }
}
