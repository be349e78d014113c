import { Module } from '@nestjs/common';
import { ConformancePrompts } from './conformance-prompts.js';
import { ConformanceResources } from './conformance-resources.js';
import { ConformanceTools } from './conformance-tools.js';

/** What the scenarios of @modelcontextprotocol/conformance expect a server to have. Test code: never part of the product. */
@Module({ providers: [ConformanceTools, ConformanceResources, ConformancePrompts] })
export class ConformanceFixturesModule {}
