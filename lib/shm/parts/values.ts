// What all parts use that store values of any type.
import '../../values/codec';
import '../objects/kept-names';
import '../structure/states';
import '../structure/structure';
import '../structure/structure-state';
import '../structure/unreadable';
import '../structure/passed-over';

export { attachAll, type AttachedAll } from '../attach-all';
export type { IterationOptions } from '../structure/passed-over';
export type { StructureCreateOptions, StructureOptions } from '../structure/structure';
