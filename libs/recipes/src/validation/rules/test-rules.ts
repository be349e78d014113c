import { assertionTypes, type AssertionTypeName } from '../../assertions/assertion-types.js';
import { checkAssertion } from '../../assertions/check-assertion.js';
import { isObject } from '../../normalise/json-values.js';
import { objects, text } from '../draft.js';
import type { Rule } from './rule.js';

export const assertionRules: Rule = ({ draft, findings }) => {
  for (const test of objects(draft, 'tests')) {
    for (const { value, path } of objects(test.value, 'assertions', test.path)) {
      const type = text(value, 'type');
      const params = value.params ?? {};
      // Unknown types are told by the schema, with the list of the known ones.
      if (type === undefined || !Object.hasOwn(assertionTypes, type) || !isObject(params)) continue;
      checkAssertion(type as AssertionTypeName, params, `${path}/params`).forEach((violation) =>
        findings.error(violation.path, violation.code, violation.message, violation.suggestion),
      );
    }
  }
};
