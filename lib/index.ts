export * from './basics';
export * from './structures';
