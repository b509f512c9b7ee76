// Ends a region of foreach_level.h: the target that was pushed for its vectors, and what simd-inl.h
// defined.
#if TULOU_SIMD >= 2 && !defined(TULOU_EMULATE_AVX512)
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
#undef TULOU_SIMD
#undef TULOU_INLINE
#undef TULOU_RARE
#undef TULOU_LAMBDA
