# The functions that the folders of src/ describe themselves with.

find_package(Threads REQUIRED)
if(TULOU_TESTS)
  find_package(GTest REQUIRED)
endif()

# Options of every target of the project. Warnings become errors in the presets, not here.
add_library(tulou_options INTERFACE)
target_include_directories(tulou_options INTERFACE "${CMAKE_SOURCE_DIR}/src")
# Floating point is written down exactly in the kernels: nothing may be contracted behind their backs.
target_compile_options(tulou_options INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion
                                               -ffp-contract=off -fno-math-errno)
target_link_libraries(tulou_options INTERFACE Threads::Threads)
if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug" AND TULOU_SANITIZE STREQUAL "")
  target_compile_definitions(tulou_options INTERFACE _FORTIFY_SOURCE=2)
endif()
target_compile_definitions(tulou_options INTERFACE _GLIBCXX_ASSERTIONS)
target_compile_options(tulou_options INTERFACE -fstack-protector-strong)
target_link_options(tulou_options INTERFACE -Wl,-z,relro -Wl,-z,now)
if(TULOU_SANITIZE)
  target_compile_options(tulou_options INTERFACE -fsanitize=${TULOU_SANITIZE} -fno-sanitize-recover=all
                                                 -fno-omit-frame-pointer)
  target_link_options(tulou_options INTERFACE -fsanitize=${TULOU_SANITIZE})
endif()
if(TULOU_FUZZ)
  target_compile_options(tulou_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# tulou_folder(NAME SOURCES ... DEPENDS ... TESTS ...)
# One static library for a folder, and one test program for the tests that lie beside its code.
# DEPENDS names the folders it may include and outside libraries; a folder without sources is an error.
function(tulou_folder name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;TESTS;TEST_DEPENDS" ${ARGN})
  add_library(tulou_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(tulou_${name} PUBLIC tulou_options ${ARG_DEPENDS})
  if(TULOU_TESTS AND ARG_TESTS)
    add_executable(${name}_test ${ARG_TESTS})
    target_link_libraries(${name}_test PRIVATE tulou_${name} ${ARG_TEST_DEPENDS} GTest::gtest GTest::gtest_main)
    add_test(NAME ${name} COMMAND ${name}_test)
  endif()
endfunction()

# tulou_fuzz(NAME DEPENDS ...): fuzz/NAME.cpp as a libFuzzer target, seeded from fuzz/corpus/NAME, and
# as a test of 50,000 runs with a fixed seed. Only with TULOU_FUZZ (clang).
function(tulou_fuzz name)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  if(NOT TULOU_FUZZ)
    return()
  endif()
  add_executable(fuzz_${name} ${name}.cpp)
  target_link_libraries(fuzz_${name} PRIVATE tulou_options ${ARG_DEPENDS})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  set(findings "${CMAKE_BINARY_DIR}/findings/${name}")
  file(MAKE_DIRECTORY "${findings}")
  add_test(NAME fuzz_${name}
           COMMAND fuzz_${name} -runs=50000 -seed=1 -timeout=5 -rss_limit_mb=1024 -max_len=65536
                   -artifact_prefix=${findings}/ "${CMAKE_SOURCE_DIR}/fuzz/corpus/${name}")
endfunction()
