import { Module } from '@nestjs/common';
import { BuildFailure, BuildPipeline, type PipelineOutcome } from './pipeline/build-pipeline.port.js';

/** Says so where an application was put together without a pipeline. */
class UnconfiguredBuildPipeline extends BuildPipeline {
  run(): Promise<PipelineOutcome> {
    return Promise.reject(new BuildFailure('resolve', 'system', { reason: 'no_pipeline', message: 'This factory was started without a build pipeline.', hint: 'Give AppModule.forRoot a pipelineModule.' }));
  }
}

@Module({ providers: [{ provide: BuildPipeline, useClass: UnconfiguredBuildPipeline }], exports: [BuildPipeline] })
export class UnconfiguredPipelineModule {}
