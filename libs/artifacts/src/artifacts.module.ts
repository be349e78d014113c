import path from 'node:path';
import { Module } from '@nestjs/common';
import { Settings } from '#libs/platform';
import { ArtifactStore } from './artifact-store.port.js';
import { FileSystemArtifactStore } from './file-system/file-system-artifact-store.js';

@Module({
  providers: [
    {
      provide: ArtifactStore,
      useFactory: (settings: Settings) => new FileSystemArtifactStore(path.join(settings.dataDir, 'artifacts')),
      inject: [Settings],
    },
  ],
  exports: [ArtifactStore],
})
export class ArtifactsModule {}
