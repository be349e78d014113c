import { Injectable, Module } from '@nestjs/common';
import { IsArray, IsInt, IsObject, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { AppError, Doc, invalid, type Caller } from '#libs/platform';
import { Tool, type CallContext } from '#libs/mcp';

export class ProbeEchoInput {
  @Doc('Any text.') @IsString() @MaxLength(1000) text: string;
  @Doc('How often.') @IsOptional() @IsInt() @Min(1) @Max(10) times?: number;
  @Doc('Words.') @IsOptional() @IsArray() @IsString({ each: true }) words?: string[];
  @Doc('Anything.') @IsOptional() @IsObject() more?: object;
}
export class ProbeEchoOutput {
  @Doc('The text, repeated.') @IsString() text: string;
  @Doc('Who called.') @IsString() owner: string;
  @Doc('Words.') @IsArray() @IsString({ each: true }) words: string[];
}
export class ProbeWaitInput {
  @Doc('Milliseconds.') @IsInt() @Min(0) @Max(60_000) ms: number;
}
export class ProbeWaitOutput {
  @Doc('Milliseconds.') @IsInt() waited: number;
}
export class ProbeFloodInput {
  @Doc('Bytes.') @IsInt() @Min(0) @Max(10_000_000) bytes: number;
}
export class ProbeNothing {}

/** Tools of the tests' own, for what no product tool does on purpose: wait, flood, refuse, break. */
@Injectable()
export class ProbeTools {
  static aborted = 0;
  static echoes = 0;

  @Tool({
    name: 'probe_echo',
    title: 'Echo',
    description: 'Echoes.',
    toolset: 'tests',
    input: ProbeEchoInput,
    output: ProbeEchoOutput,
    readOnly: true,
  })
  async echo(caller: Caller, { text, times = 1, words = [] }: ProbeEchoInput): Promise<ProbeEchoOutput> {
    ProbeTools.echoes++;
    return await Promise.resolve({ text: text.repeat(times), owner: caller.ownerId, words });
  }

  @Tool({
    name: 'probe_wait',
    title: 'Wait',
    description: 'Waits.',
    toolset: 'tests',
    input: ProbeWaitInput,
    output: ProbeWaitOutput,
    readOnly: false,
  })
  async wait(_: Caller, { ms }: ProbeWaitInput, context: CallContext): Promise<ProbeWaitOutput> {
    await context.progress(0, ms, 'begun');
    await context.log('info', { waiting: ms });
    await context.log('debug', 'detail');
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      context.signal.addEventListener('abort', () => {
        ProbeTools.aborted++;
        clearTimeout(timer);
        resolve();
      });
    });
    await context.progress(ms, ms, 'done');
    return { waited: ms };
  }

  @Tool({
    name: 'probe_flood',
    title: 'Flood',
    description: 'Answers at length.',
    toolset: 'tests',
    input: ProbeFloodInput,
    readOnly: true,
  })
  async flood(_: Caller, { bytes }: ProbeFloodInput): Promise<object> {
    return await Promise.resolve({ filler: 'x'.repeat(bytes) });
  }

  @Tool({
    name: 'probe_refuse',
    title: 'Refuse',
    description: 'Refuses.',
    toolset: 'hostfactory',
    input: ProbeNothing,
    output: ProbeWaitOutput,
    readOnly: true,
  })
  refuse(): Promise<object> {
    throw invalid('wrong_moon', 'The moon is wrong.', 'Wait for a better one.');
  }

  @Tool({
    name: 'probe_break',
    title: 'Break',
    description: 'Breaks.',
    toolset: 'hostfactory',
    input: ProbeNothing,
    output: ProbeWaitOutput,
    readOnly: true,
  })
  break(): Promise<object> {
    throw new Error('secret detail of the inside');
  }

  @Tool({
    name: 'probe_outage',
    title: 'Outage',
    description: 'Meets an outage.',
    toolset: 'hostfactory',
    input: ProbeNothing,
    output: ProbeWaitOutput,
    readOnly: true,
  })
  outage(): Promise<object> {
    throw new AppError({
      kind: 'unavailable',
      reason: 'mirror_down',
      message: 'The mirror does not answer.',
      hint: 'Try later.',
    });
  }
}

@Module({ providers: [ProbeTools] })
export class ProbeToolsModule {}
