import { Injectable } from '@nestjs/common';
import type { GetPromptResult, Prompt } from '@modelcontextprotocol/sdk/types.js';
import type { Caller } from '#libs/platform';
import type { CallContext } from './call-context.js';

/** One prompt of a module. The module registers it with the PromptCatalogue. */
export abstract class PromptProvider {
  abstract readonly definition: Prompt;
  /** All required arguments are present and every value is a string. */
  abstract get(caller: Caller, values: Record<string, string>, context: CallContext): Promise<GetPromptResult>;
  /** Values that would complete what was typed of one argument. */
  abstract complete(caller: Caller, argument: string, typed: string): Promise<string[]>;
}

@Injectable()
export class PromptCatalogue {
  private readonly prompts = new Map<string, PromptProvider>();

  register(prompt: PromptProvider): void {
    const { name } = prompt.definition;
    if (this.prompts.has(name)) throw new Error(`Two providers claim the prompt ${name}.`);
    this.prompts.set(name, prompt);
  }

  get all(): PromptProvider[] {
    return [...this.prompts.values()];
  }

  find(name: string): PromptProvider | undefined {
    return this.prompts.get(name);
  }
}
