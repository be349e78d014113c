import { getMetadataStorage } from 'class-validator';

type Storage = ReturnType<typeof getMetadataStorage>;
type Rules = ReturnType<Storage['getTargetValidationMetadatas']>;

const known = new WeakMap<object, Rules>();

/**
 * class-validator searches the rules of every DTO class of the process for each object it validates (a third of the CPU of a tool call with
 * some hundred classes). A class's rules are complete once it is defined and its parents are by then, so they can be remembered for good.
 * Validation by groups or by schema, which this product has not, goes the old way.
 */
export function rememberValidationRules(storage: Storage = getMetadataStorage()): void {
  const search = storage.getTargetValidationMetadatas.bind(storage);
  storage.getTargetValidationMetadatas = (target, schema, always, strictGroups, groups) => {
    if (schema || always || strictGroups || groups?.length || typeof target !== 'function')
      return search(target, schema, always, strictGroups, groups);
    let rules = known.get(target);
    if (!rules) known.set(target, (rules = search(target, schema, always, strictGroups, groups)));
    return rules;
  };
}
