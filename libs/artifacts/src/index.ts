export { ArtifactsModule } from './artifacts.module.js';
export {
  ArtifactMismatch,
  ArtifactMissing,
  ArtifactStore,
  type ArtifactToStore,
  type ByteRange,
  type GroupUsage,
  type StoredArtifact,
} from './artifact-store.port.js';
