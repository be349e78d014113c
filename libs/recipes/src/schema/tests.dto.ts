import { assertionTypes, assertionTypeNames } from '../assertions/assertion-types.js';
import { OneOf, OpenObject, Parts, Text } from './field.decorators.js';
import { oneLine } from './text-rules.js';

export class RecipeAssertion {
  @OneOf(assertionTypeNames, 'What is checked.', { required: true }) type: keyof typeof assertionTypes;
  @OpenObject('Parameters of the type; timeout_seconds and retry_seconds are taken by every type.', { default: {} })
  params: Record<string, unknown> = {};
  @Text(oneLine, 'What a reader of the report should know.', { maxLength: 500 }) description?: string;
}

export class RecipeTest {
  @Text(oneLine, 'What the test shows.', { required: true, maxLength: 500 }) description: string;
  @Text(oneLine, 'Group in the report, such as "compliance".', { maxLength: 100 }) category?: string;
  @Parts(() => RecipeAssertion, 'All of them must hold.', { required: true, maxItems: 200 })
  assertions: RecipeAssertion[];
}
