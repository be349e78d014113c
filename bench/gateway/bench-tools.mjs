// Tools that pad the product's catalogue to a fixed number, so that the figures stay comparable while it grows. They need no database:
// what is measured is the gateway. Plain ESM has no decorator syntax, so the decorators are called as the functions they are.
import { Injectable, Module } from '@nestjs/common';
import { IsArray, IsBoolean, IsIn, IsInt, IsOptional, IsString, Max, MaxLength, Min, MinLength } from 'class-validator';
import { Doc } from '#libs/platform';
import { Tool } from '#libs/mcp';

export const calledTool = 'bench_tool_01';
/** Three properties, as a model would send them. */
export const callArguments = { name: 'web-server-01', count: 3, mode: 'balanced' };
export const expectedResult = { name: 'web-server-01', total: 6, mode: 'balanced' };

/** What the tools do, here and in the peer. */
export const work = ({ name, count, mode }) => ({ name, total: count * 2, mode });

const modes = ['fast', 'balanced', 'thorough'];
const text = (more) => [IsString(), MinLength(1), MaxLength(64), ...more];
const inputRules = {
  name: [Doc('Name of the thing to work on, as the list tool shows it.'), ...text([])],
  count: [Doc('How many of them, at most 100.'), IsInt(), Min(1), Max(100)],
  mode: [Doc('How thorough the work is: fast skips the checks, thorough repeats them.'), IsIn(modes)],
  labels: [
    Doc('Labels to put on the result; lower-case words.'),
    IsOptional(),
    IsArray(),
    IsString({ each: true }),
    MaxLength(32, { each: true }),
  ],
  dry_run: [Doc('Only say what would be done.'), IsOptional(), IsBoolean()],
};
const outputRules = {
  name: [Doc('Name of the thing that was worked on.'), IsString()],
  total: [Doc('How many there are now.'), IsInt()],
  mode: [Doc('The mode that was used.'), IsIn(modes)],
};

function dto(name, rules) {
  const made = { [name]: class {} }[name];
  for (const [property, decorators] of Object.entries(rules))
    for (const decorate of decorators) decorate(made.prototype, property);
  return made;
}

function addTool(prototype, number) {
  const suffix = String(number).padStart(2, '0');
  const method = `tool${suffix}`;
  Object.defineProperty(prototype, method, {
    value: (_caller, input) => Promise.resolve(work(input)),
    configurable: true,
  });
  Tool({
    name: `bench_tool_${suffix}`,
    title: `Benchmark tool ${suffix}`,
    description: `Works on a thing by name and says how many there are now. Use it after the list tool has shown the name; call it again with another mode if the result is not enough. Variant ${suffix}.`,
    toolset: 'tests',
    input: dto(`BenchInput${suffix}`, inputRules),
    output: dto(`BenchOutput${suffix}`, outputRules),
    readOnly: true,
  })(prototype, method, Object.getOwnPropertyDescriptor(prototype, method));
}

/** A module with `count` tools, to be handed to startFactory. */
export function benchToolsModule(count) {
  class BenchTools {}
  for (let number = 1; number <= count; number++) addTool(BenchTools.prototype, number);
  Injectable()(BenchTools);
  class BenchToolsModule {}
  Module({ providers: [BenchTools] })(BenchToolsModule);
  return BenchToolsModule;
}
