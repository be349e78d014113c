import { Module } from '@nestjs/common';
import { KeyHasher } from './key-hasher.js';
import { KeyUsage } from './key-usage.js';
import { McpKeyRepository } from './mcp-key.repository.js';
import { McpKeyResolver } from './mcp-key.resolver.js';
import { McpKeyService } from './mcp-key.service.js';
import { McpKeysController } from './mcp-keys.controller.js';
import { McpKeysJobs } from './mcp-keys.jobs.js';

@Module({
  controllers: [McpKeysController],
  providers: [KeyHasher, KeyUsage, McpKeyRepository, McpKeyResolver, McpKeyService, McpKeysJobs],
})
export class McpKeysModule {}
