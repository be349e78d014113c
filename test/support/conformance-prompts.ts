import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { ContentBlock, GetPromptResult, Prompt } from '@modelcontextprotocol/sdk/types.js';
import type { Caller } from '#libs/platform';
import { PromptCatalogue, PromptProvider } from '#libs/mcp';
import { redPixelPng } from './conformance-media.js';

interface Fixture {
  definition: Prompt;
  content(values: Record<string, string>): ContentBlock[];
  completions?: Record<string, string[]>;
}

const fixtures: Fixture[] = [
  {
    definition: { name: 'test_simple_prompt', description: 'A prompt without arguments.' },
    content: () => [{ type: 'text', text: 'This is a simple prompt for testing.' }],
  },
  {
    definition: {
      name: 'test_prompt_with_arguments',
      description: 'A prompt that says back its arguments.',
      arguments: [
        { name: 'arg1', description: 'First test argument', required: true },
        { name: 'arg2', description: 'Second test argument', required: true },
      ],
    },
    content: ({ arg1, arg2 }) => [{ type: 'text', text: `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'` }],
    completions: { arg1: ['paris', 'park', 'party', 'testValue1'] },
  },
  {
    definition: {
      name: 'test_prompt_with_embedded_resource',
      description: 'A prompt that embeds a resource.',
      arguments: [{ name: 'resourceUri', description: 'URI of the resource to embed', required: true }],
    },
    content: ({ resourceUri = '' }) => [
      {
        type: 'resource',
        resource: { uri: resourceUri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' },
      },
      { type: 'text', text: 'Please process the embedded resource above.' },
    ],
  },
  {
    definition: { name: 'test_prompt_with_image', description: 'A prompt with an image.' },
    content: () => [
      { type: 'image', data: redPixelPng, mimeType: 'image/png' },
      { type: 'text', text: 'Please analyze the image above.' },
    ],
  },
];

class ConformancePrompt extends PromptProvider {
  readonly definition: Prompt;

  constructor(private readonly fixture: Fixture) {
    super();
    this.definition = fixture.definition;
  }

  async get(_: Caller, values: Record<string, string>): Promise<GetPromptResult> {
    return await Promise.resolve({
      messages: this.fixture.content(values).map((content) => ({ role: 'user', content })),
    });
  }

  async complete(_: Caller, argument: string, typed: string): Promise<string[]> {
    return await Promise.resolve(
      (this.fixture.completions?.[argument] ?? []).filter((value) => value.startsWith(typed)),
    );
  }
}

/** Registers the prompts that @modelcontextprotocol/conformance asks for. */
@Injectable()
export class ConformancePrompts implements OnModuleInit {
  constructor(private readonly catalogue: PromptCatalogue) {}

  onModuleInit(): void {
    for (const fixture of fixtures) this.catalogue.register(new ConformancePrompt(fixture));
  }
}
