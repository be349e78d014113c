import { describe, expect, it } from '@jest/globals';
import { getMetadataStorage } from 'class-validator';
import { checkInput, schemaOf, type DtoClass, type JsonSchema } from '#libs/platform';
import '../../apps/api/src/app.module.js';
import { countWork } from '../support/count-work.js';

const isRule = ({ type }: { type: string }) => type !== 'whitelistValidation';
const ruled = (getMetadataStorage() as unknown as { validationMetadatas: Map<DtoClass, { type: string }[]> })
  .validationMetadatas;
/** Every class that something is read with, whichever edge does: REST, tools, services of recipes. Classes of answers have no rules. */
const classes = [...ruled]
  .filter(([dto, rules]) => typeof dto === 'function' && rules.some(isRule))
  .map(([dto]) => dto);
/** The largest of them. */
const RecipeDto = classes.find(({ name }) => name === 'RecipeDto')!;
const named = classes.map((dto) => [dto.name, dto] as const);

/** Entries looked at per value sent: a handful of walks. What grows with the square comes to thousands. */
const workPerValue = 50;
/** What class-validator does for one object of a class with many rules. */
const workPerObject = 12_000;
const many = 4_000;
const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, at]));
const lists = {
  numbers: () => Array.from({ length: many }, (_, at) => at),
  objects: () => Array.from({ length: many }, () => ({})),
};
interface Attack {
  what: string;
  body: unknown;
  /** Objects that the schema lets in. */
  objects: number;
}

/** Bodies that put what is too much in every place that the schema names, one place at a time. */
function* attacks(
  schema: JsonSchema,
  wrap: (value: unknown) => unknown = (value) => value,
  at = '',
): Generator<Attack> {
  const attack = (what: string, value: unknown, objects = 1): Attack => ({
    what: `${at} ${what}`,
    body: wrap(value),
    objects,
  });
  if (schema.type === 'object' || schema.properties) {
    yield attack('unknown keys', keys(many));
    for (const [key, child] of Object.entries(schema.properties ?? {}))
      yield* attacks(child, (value) => wrap({ [key]: value }), `${at}/${key}`);
  } else if (schema.type === 'array') {
    const objects = Math.min(many, Number(schema.maxItems ?? many) + 1);
    yield attack('numbers', lists.numbers());
    yield attack('objects', lists.objects(), objects);
    yield attack('JSON text', JSON.stringify(lists.objects()), objects);
    if (schema.items) yield* attacks(schema.items, (value) => wrap([value]), `${at}/0`);
  } else {
    yield attack('a long text', '-.a '.repeat(many));
    yield attack('many digits', '1'.repeat(many));
  }
}

/** Places of lists that have no bound of their own. What is open (a recipe inside a tool's input) is read by rules of its own. */
function unbounded(schema: JsonSchema, at = ''): string[] {
  if (schema.type === 'array')
    return [
      ...(typeof schema.maxItems === 'number' ? [] : [at]),
      ...(schema.items ? unbounded(schema.items, `${at}/0`) : []),
    ];
  return schema.additionalProperties === false
    ? Object.entries(schema.properties ?? {}).flatMap(([key, child]) => unbounded(child, `${at}/${key}`))
    : [];
}

describe('the cost of an input', () => {
  it('is found out for every class', () => expect(classes.length).toBeGreaterThan(50));

  it.each(named)('%s: is a few walks, wherever what is too much stands', async (_name, dto) => {
    const dear: string[] = [];
    // Schema and rules of a class are worked out once.
    checkInput(dto, {});
    for (const { what, body, objects } of attacks(schemaOf(dto))) {
      const most = Math.max(many, JSON.stringify(body).length / 8) * workPerValue + objects * workPerObject;
      const work = await countWork(() => checkInput(dto, body));
      if (work > most) dear.push(`${what}: ${work}, not ${most}`);
    }
    expect(dear).toEqual([]);
  });

  it.each(named)('%s: tells at most 200 mistakes, in an answer of bounded size', (_name, dto) => {
    const { violations } = checkInput(dto, keys(many));
    expect(violations).toHaveLength(201);
    expect(violations.at(-1)).toMatchObject({ path: '', code: 'moreViolations' });
    expect(JSON.stringify(violations).length).toBeLessThan(64 * 1024);
  });

  it.each(named)('%s: has a bound for every list', (_name, dto) => expect(unbounded(schemaOf(dto))).toEqual([]));

  it('has a bound for the objects of all lists together', async () => {
    const tests = Array.from({ length: 60 }, () => ({ assertions: Array.from({ length: 60 }, () => ({})) }));
    const work = await countWork(() =>
      expect(checkInput(RecipeDto, { tests }).violations).toEqual([expect.objectContaining({ code: 'tooLarge' })]),
    );
    expect(work).toBeLessThan(4_000 * workPerValue);
  });

  it('is that of one walk for the largest body there is', async () => {
    expect(await countWork(() => checkInput(RecipeDto, keys(19_000)))).toBeLessThan(19_000 * workPerValue);
  });
});
