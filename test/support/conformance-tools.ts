import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { IsObject, IsOptional, IsString } from 'class-validator';
import { JSONSchema } from 'class-validator-jsonschema';
import type { ContentBlock } from '@modelcontextprotocol/sdk/types.js';
import { Doc, invalid, type Caller, type DtoClass } from '#libs/platform';
import { Tool, ToolReply, type CallContext } from '#libs/mcp';
import { redPixelPng, silentWav } from './conformance-media.js';

const pauseMs = 50;

export class ConformanceNothing {}
export class ConformanceSamplingInput {
  @Doc('The prompt to send to the model.') @IsString() prompt: string;
}
export class ConformanceElicitationInput {
  @Doc('The message to show to the user.') @IsString() message: string;
}

/** Keywords that the decorator's types, made for OpenAPI 3.0, do not know. */
const dialectKeywords: Record<string, unknown> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $defs: { address: { type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } } },
};

@JSONSchema(dialectKeywords)
export class ConformanceDialectInput {
  @Doc('A name.') @IsOptional() @IsString() name?: string;
  @JSONSchema({ $ref: '#/$defs/address' }) @IsOptional() @IsObject() address?: object;
}

const fixture = (name: string, description: string, input: DtoClass = ConformanceNothing) =>
  Tool({ name, title: name, description, toolset: 'tests', input, readOnly: true });
const text = (value: string): ContentBlock => ({ type: 'text', text: value });
const image: ContentBlock = { type: 'image', data: redPixelPng, mimeType: 'image/png' };

/** The tools that @modelcontextprotocol/conformance calls, as its scenarios describe them. */
@Injectable()
export class ConformanceTools {
  @fixture('test_simple_text', 'Returns simple text.')
  async simpleText(): Promise<ToolReply> {
    return await reply(text('This is a simple text response for testing.'));
  }

  @fixture('test_image_content', 'Returns an image.')
  async imageContent(): Promise<ToolReply> {
    return await reply(image);
  }

  @fixture('test_audio_content', 'Returns a sound.')
  async audioContent(): Promise<ToolReply> {
    return await reply({ type: 'audio', data: silentWav, mimeType: 'audio/wav' });
  }

  @fixture('test_embedded_resource', 'Returns an embedded resource.')
  async embeddedResource(): Promise<ToolReply> {
    return await reply({
      type: 'resource',
      resource: {
        uri: 'test://embedded-resource',
        mimeType: 'text/plain',
        text: 'This is an embedded resource content.',
      },
    });
  }

  @fixture('test_multiple_content_types', 'Returns text, an image and an embedded resource.')
  async multipleContentTypes(): Promise<ToolReply> {
    const json = JSON.stringify({ test: 'data', value: 123 });
    return await reply(text('Multiple content types test:'), image, {
      type: 'resource',
      resource: { uri: 'test://mixed-content-resource', mimeType: 'application/json', text: json },
    });
  }

  @fixture('test_tool_with_logging', 'Sends three log messages while it runs.')
  async withLogging(_: Caller, __: object, context: CallContext): Promise<ToolReply> {
    await context.log('info', 'Tool execution started');
    await sleep(pauseMs);
    await context.log('info', 'Tool processing data');
    await sleep(pauseMs);
    await context.log('info', 'Tool execution completed');
    return await reply(text('Logged three messages.'));
  }

  @fixture('test_error_handling', 'Always refuses.')
  errorHandling(): Promise<ToolReply> {
    throw invalid('intentional', 'This tool intentionally returns an error for testing');
  }

  @fixture('test_tool_with_progress', 'Reports progress while it runs.')
  async withProgress(_: Caller, __: object, context: CallContext): Promise<ToolReply> {
    await context.progress(0, 100);
    await sleep(pauseMs);
    await context.progress(50, 100);
    await sleep(pauseMs);
    await context.progress(100, 100);
    return await reply(text('Reported progress three times.'));
  }

  @fixture('test_sampling', "Asks the client's model.", ConformanceSamplingInput)
  async sampling(_: Caller, { prompt }: ConformanceSamplingInput, context: CallContext): Promise<ToolReply> {
    const answer = await ask(context, 'sampling/createMessage', {
      messages: [{ role: 'user', content: text(prompt) }],
      maxTokens: 100,
    });
    return await reply(text(`LLM response: ${JSON.stringify(answer.content)}`));
  }

  @fixture('test_elicitation', 'Asks the user for a name and an address.', ConformanceElicitationInput)
  async elicitation(_: Caller, { message }: ConformanceElicitationInput, context: CallContext): Promise<ToolReply> {
    const properties = {
      username: { type: 'string', description: "User's response" },
      email: { type: 'string', description: "User's email address" },
    };
    return await elicit(context, 'User response', message, { properties, required: ['username', 'email'] });
  }

  @fixture('test_elicitation_sep1034_defaults', 'Asks the user, with a default for every kind of value.')
  async elicitationDefaults(_: Caller, __: object, context: CallContext): Promise<ToolReply> {
    const properties = {
      name: { type: 'string', default: 'John Doe' },
      age: { type: 'integer', default: 30 },
      score: { type: 'number', default: 95.5 },
      status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
      verified: { type: 'boolean', default: true },
    };
    return await elicit(context, 'Elicitation completed', 'Please review these values.', { properties, required: [] });
  }

  @fixture('test_elicitation_sep1330_enums', 'Asks the user, with every form of an enumeration.')
  async elicitationEnums(_: Caller, __: object, context: CallContext): Promise<ToolReply> {
    const options = ['option1', 'option2', 'option3'];
    const titled = ['First', 'Second', 'Third'].map((title, index) => ({ const: `value${index + 1}`, title }));
    const properties = {
      untitledSingle: { type: 'string', enum: options },
      titledSingle: { type: 'string', oneOf: titled },
      legacyEnum: {
        type: 'string',
        enum: ['opt1', 'opt2', 'opt3'],
        enumNames: ['Option One', 'Option Two', 'Option Three'],
      },
      untitledMulti: { type: 'array', items: { type: 'string', enum: options } },
      titledMulti: { type: 'array', items: { anyOf: titled } },
    };
    return await elicit(context, 'Elicitation completed', 'Please choose.', { properties, required: [] });
  }

  @fixture('json_schema_2020_12_tool', 'Tool with JSON Schema 2020-12 features', ConformanceDialectInput)
  async jsonSchemaDialect(_: Caller, input: ConformanceDialectInput): Promise<ToolReply> {
    return await reply(text(JSON.stringify(input)));
  }

  @fixture('test_reconnection', 'Ends its own stream, works on, and answers when the client has come back.')
  async reconnection(_: Caller, __: object, context: CallContext): Promise<ToolReply> {
    context.peer?.closeStream();
    await sleep(2 * pauseMs);
    return await reply(text('The answer after the reconnection.'));
  }
}

const reply = (...content: ContentBlock[]): Promise<ToolReply> => Promise.resolve(new ToolReply(content));

async function ask(
  { peer }: CallContext,
  method: string,
  params: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  if (!peer) throw invalid('no_peer', 'This transport has no way back to the client.');
  return await peer.request(method, params);
}

async function elicit(context: CallContext, what: string, message: string, schema: object): Promise<ToolReply> {
  const { action, content } = await ask(context, 'elicitation/create', {
    message,
    requestedSchema: { type: 'object', ...schema },
  });
  return await reply(text(`${what}: action=${String(action)}, content=${JSON.stringify(content)}`));
}
